package archive

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Write writes a backup of all files below dir, which must not change during the call.
// It fills in format, version, id, time and files of m, and returns the result.
func Write(ctx context.Context, w io.Writer, m Manifest, dir string) (Manifest, error) {
	m.Format, m.Version, m.ID = format, Version, strings.ToLower(rand.Text())
	m.Created = time.Now().UTC().Truncate(time.Second)
	var err error
	if m.Files, err = list(ctx, dir); err != nil {
		return m, err
	}
	if err := m.check(); err != nil {
		return m, err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return m, err
	}
	t := tar.NewWriter(z)
	if err := m.pack(ctx, t, dir); err != nil {
		return m, err
	}
	if err := t.Close(); err != nil {
		return m, err
	}
	return m, z.Close()
}

// list describes the files below dir, in the order of their names.
func list(ctx context.Context, dir string) ([]File, error) {
	files := []File{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return ctx.Err()
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is no regular file", path)
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		sum := sha256.New()
		n, err := io.Copy(sum, f)
		files = append(files, File{filepath.ToSlash(name), n, hex.EncodeToString(sum.Sum(nil))})
		return err
	})
	return files, err
}

// pack writes the members.
func (m Manifest) pack(ctx context.Context, t *tar.Writer, dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if len(data) > maxManifest {
		return fmt.Errorf("%d files are too many for one backup: name fewer apps", len(m.Files))
	}
	if err := t.WriteHeader(m.header(manifestName, int64(len(data)))); err != nil {
		return err
	}
	if _, err := t.Write(data); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := t.WriteHeader(m.header(f.Name, f.Size)); err != nil {
			return err
		}
		if err := copyFile(t, filepath.Join(dir, f.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (m Manifest) header(name string, size int64) *tar.Header {
	return &tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: m.Created, Typeflag: tar.TypeReg}
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
