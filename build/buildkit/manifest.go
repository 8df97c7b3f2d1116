package buildkit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/google/renameio/v2"

	"dokku/build/source"
)

// The manifest holds path, blob, mode, size and modification time of each of an app's files
// that the engine may know. The engine skips a file whose size, time and mode it knows, but
// git keeps no times. A file must therefore keep its time while it stays the same, and get
// a later one when it changes.
//
// Seconds are max(now, the path's last time + 1). Nanoseconds are a part of
// the blob's id, so that even a lost manifest or a clock that was set back
// does not give two contents one time.
//
// A file is: magic, number of entries, entries, SHA-256 of all before. An
// entry is: bytes shared with the path before, the rest of the path (length,
// bytes), mode, size, blob, seconds. Nanoseconds are computed. Numbers are
// varints; 20,000 files take about 700 kB.
type manifest map[string]record

type record struct {
	blob    plumbing.Hash
	mode    uint32
	size    int64
	seconds int64 // since 1970
}

const (
	manifestMagic = "dokku manifest 1\n"
	// maxManifestPath bounds what a damaged length can allocate.
	maxManifestPath = 1 << 16
)

var errManifest = errors.New("the manifest is damaged")

// modTime is the file's modification time in nanoseconds since 1970.
func (r record) modTime() int64 {
	nanos := int64(binary.BigEndian.Uint32(r.blob[:4])>>2) % 1e9
	return r.seconds*1e9 + nanos
}

// next gives every file of t a time and returns the new manifest, how many
// files were added, changed or removed, and how many bytes the added and
// changed ones have. m may be nil.
func (m manifest) next(t *source.Tree, now time.Time) (n manifest, changed int, bytes int64) {
	n = make(manifest, t.Stats.Files)
	kept := 0
	for i := range t.Files {
		f := &t.Files[i]
		if f.IsDir() {
			continue
		}
		r := record{blob: f.Blob, mode: f.Mode, size: f.Size, seconds: now.Unix()}
		old, ok := m[f.Path]
		switch {
		case ok && old.blob == r.blob && old.mode == r.mode && old.size == r.size:
			r.seconds = old.seconds
		case ok:
			r.seconds = max(r.seconds, old.seconds+1)
			fallthrough
		default:
			changed++
			bytes += f.Size
		}
		if ok {
			kept++
		}
		n[f.Path] = r
	}
	return n, changed + len(m) - kept, bytes
}

// encode writes the records of t's files, in t's order.
func (m manifest) encode(t *source.Tree) []byte {
	b := make([]byte, 0, len(m)*40+64)
	b = binary.AppendUvarint(b, uint64(len(m)))
	last := ""
	for i := range t.Files {
		path := t.Files[i].Path
		r, ok := m[path]
		if !ok {
			continue // a folder
		}
		same := 0
		for same < len(path) && same < len(last) && path[same] == last[same] {
			same++
		}
		b = binary.AppendUvarint(b, uint64(same))
		b = binary.AppendUvarint(b, uint64(len(path)-same))
		b = append(b, path[same:]...)
		b = binary.AppendUvarint(b, uint64(r.mode))
		b = binary.AppendUvarint(b, uint64(r.size))
		b = append(b, r.blob[:]...)
		b = binary.AppendVarint(b, r.seconds)
		last = path
	}
	return seal(b)
}

// seal adds the magic and the checksum.
func seal(body []byte) []byte {
	b := append([]byte(manifestMagic), body...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// decodeManifest is the inverse of encode.
func decodeManifest(b []byte) (manifest, error) {
	body := len(b) - sha256.Size
	if body < len(manifestMagic) || string(b[:len(manifestMagic)]) != manifestMagic {
		return nil, errManifest
	}
	if sum := sha256.Sum256(b[:body]); !bytes.Equal(sum[:], b[body:]) {
		return nil, errManifest
	}
	d := decoder{b: b[len(manifestMagic):body]}
	n := d.number()
	if n > uint64(len(d.b)) {
		return nil, errManifest
	}
	m := make(manifest, n)
	last := ""
	for range n {
		path := d.path(last)
		r := record{mode: uint32(d.number()), size: int64(d.number())}
		copy(r.blob[:], d.bytes(uint64(len(r.blob))))
		r.seconds = d.signed()
		if d.bad {
			return nil, errManifest
		}
		m[path] = r
		last = path
	}
	if len(d.b) > 0 || uint64(len(m)) != n {
		return nil, errManifest
	}
	return m, nil
}

// decoder reads from b until something does not fit.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) number() uint64 {
	v, n := binary.Uvarint(d.b)
	return d.skip(n, v)
}

func (d *decoder) signed() int64 {
	v, n := binary.Varint(d.b)
	d.skip(n, 0)
	return v
}

func (d *decoder) skip(n int, v uint64) uint64 {
	if d.bad = d.bad || n <= 0; d.bad {
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if d.bad = d.bad || n > uint64(len(d.b)); d.bad {
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) path(last string) string {
	same, rest := d.number(), d.number()
	if d.bad = d.bad || same > uint64(len(last)) || same+rest > maxManifestPath; d.bad {
		return ""
	}
	return last[:same] + string(d.bytes(rest))
}

// readManifest reads the manifest at path. A damaged manifest counts as missing: every file
// is then new, which costs one full transfer. A manifest of a newer version of this program
// is refused, never overwritten.
func readManifest(path string) (manifest, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the manifest: %w", err)
	}
	if v := manifestVersion(b); v > 1 {
		return nil, fmt.Errorf("cannot read %s: it has version %d, this dokku knows up to 1: install the newer dokku again", path, v)
	}
	m, err := decodeManifest(b)
	if err != nil {
		return nil, nil
	}
	return m, nil
}

// manifestVersion is the number in a manifest's magic; 0: it has none.
func manifestVersion(b []byte) int {
	name, _, _ := strings.Cut(manifestMagic, "1\n")
	rest, ok := bytes.CutPrefix(b, []byte(name))
	line, _, ended := bytes.Cut(rest[:min(len(rest), 12)], []byte("\n"))
	v, err := strconv.Atoi(string(line))
	if !ok || !ended || err != nil {
		return 0
	}
	return v
}

// writeManifest replaces the manifest at path. It must be on the disk before the engine
// sees the first of its times: the manifest must contain every time that the engine may
// know. A crash in between leaves the old manifest, and next never reuses a time for
// another content.
func writeManifest(path string, m manifest, t *source.Tree) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot write the manifest: %w", err)
		}
	}()
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600),
		renameio.WithTempDir(filepath.Dir(path)), renameio.IgnoreUmask())
	if err != nil {
		return err
	}
	defer f.Cleanup()
	w := bufio.NewWriter(f)
	if _, err := w.Write(m.encode(t)); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
