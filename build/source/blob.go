package source

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"
)

// blobKey is a blob in one of its two roles, which are checked differently.
type blobKey struct {
	hash plumbing.Hash
	link bool
}

type blobInfo struct {
	size    int64
	link    string // target of a link
	pointer *LFSObject
	problem error // why it is not supported
}

// blob adds a file or a link.
func (w *walker) blob(e gitEntry, path string, at place) error {
	if len(w.tree.Files)%1024 == 0 && w.ctx.Err() != nil {
		return w.ctx.Err()
	}
	f := Entry{Path: path, Blob: e.hash, Mode: e.kind()}
	if f.Mode == modeFile {
		f.Mode |= 0o644 | e.mode&0o100 | e.mode&0o100>>3 | e.mode&0o100>>6
	}
	info, err := w.info(f)
	if err != nil {
		return pathError(path, err)
	}
	f.Size, f.Link = info.size, info.link
	if info.pointer != nil {
		ignored, err := w.ignores(path)
		if ignored || err != nil {
			return err
		}
		if err := w.pointer(&f, *info.pointer, at); err != nil {
			return pathError(path, err)
		}
	}
	t := w.tree
	t.Stats.Files++
	t.Stats.Bytes += f.Size
	if f.Size > w.limits.Blob {
		return pathError(f.Path, fmt.Errorf("it has %s, more than %s; keep large files outside the repository",
			Bytes(f.Size), Bytes(w.limits.Blob)))
	}
	if t.Stats.Bytes > w.limits.Total {
		return pathError(f.Path, fmt.Errorf("with it the files have more than %s; remove what the app does not need",
			Bytes(w.limits.Total)))
	}
	if info.problem != nil {
		return unsupported{pathError(path, info.problem)}
	}
	t.Files = append(t.Files, f)
	return nil
}

// info returns the size of a blob and what its content says, which is read once.
func (w *walker) info(f Entry) (blobInfo, error) {
	key := blobKey{f.Blob, f.IsLink()}
	info, known := w.blobs[key]
	if known {
		return info, nil
	}
	var err error
	if info.size, err = w.store.size(f.Blob); err == nil {
		err = w.look(f, &info)
	}
	if err == nil {
		w.blobs[key] = info
	}
	return info, err
}

// look reads the target of a link and looks for LFS pointers.
func (w *walker) look(f Entry, info *blobInfo) error {
	if f.IsLink() {
		if info.size == 0 || info.size > maxTarget {
			info.problem = fmt.Errorf("its link target has %d bytes; a target has 1 to %d", info.size, maxTarget)
			return nil
		}
		b, err := w.store.get(f.Blob, plumbing.BlobObject, maxTarget)
		if info.link = string(b); err == nil && (!utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0) {
			info.problem = fmt.Errorf("its link target %q is not text in UTF-8; correct it", info.link)
		}
		return err
	}
	if info.size < int64(len(lfsSpec)) || info.size > lfsMax {
		return nil
	}
	b, err := w.store.get(f.Blob, plumbing.BlobObject, lfsMax)
	if err == nil && isLFS(b) {
		info.pointer, info.problem = parsePointer(b)
		if w.source.remotes == nil {
			info.pointer, info.problem = nil, errFetched
		}
	}
	return err
}
