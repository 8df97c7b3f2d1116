package source

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"time"
)

// Owner says whom the files of an archive belong to, and when they changed. git keeps
// neither, so all files have the same: equal trees make equal archives.
type Owner struct {
	UID, GID int
	ModTime  time.Time
}

// Archive writes the entries of a tree to w, straight from git's objects. Links are
// written as they are, and never followed. The caller closes w.
func (s *Source) Archive(ctx context.Context, t *Tree, o Owner, w *tar.Writer) error {
	for i := range t.Files {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := s.archive(&t.Files[i], o, w); err != nil {
			return fmt.Errorf("cannot send %s: %w", t.Files[i].Path, err)
		}
	}
	return nil
}

func (s *Source) archive(e *Entry, o Owner, w *tar.Writer) error {
	h := &tar.Header{Name: e.Path, Typeflag: tar.TypeReg, Mode: int64(e.Mode & 0o777), Size: e.Size,
		Uid: o.UID, Gid: o.GID, ModTime: o.ModTime}
	switch {
	case e.IsDir():
		h.Name, h.Typeflag, h.Mode = e.Path+"/", tar.TypeDir, 0o755
	case e.IsLink():
		h.Typeflag, h.Linkname, h.Mode, h.Size = tar.TypeSymlink, e.Link, 0o777, 0
	}
	if err := w.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	content, err := s.Blob(e.Blob)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, content)
	if closed := content.Close(); err == nil {
		err = closed
	}
	return err
}
