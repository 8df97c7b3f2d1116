package archive

import (
	"archive/tar"
	"bufio"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

var (
	errForeign = errors.New("it is not a backup that dokku has made")
	errShort   = errors.New("it ends too early: copy the file again")
)

// Read unpacks a backup into dir, an empty folder. It calls accept with the manifest
// before it unpacks anything. Any difference from the written backup is an error; the
// files in dir are useless then.
func Read(ctx context.Context, r io.Reader, dir string, accept func(Manifest) error) (Manifest, error) {
	m, err := read(ctx, bufio.NewReaderSize(r, 1<<16), dir, accept)
	var damaged flate.CorruptInputError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = errShort
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, tar.ErrHeader), errors.Is(err, tar.ErrFieldTooLong), errors.As(err, &damaged):
		err = fmt.Errorf("it is damaged (%w): copy the file again", err)
	}
	return m, err
}

// Begins returns an error if r does not begin like a backup. It consumes nothing.
func Begins(r *bufio.Reader) error {
	head, err := r.Peek(2)
	switch {
	case len(head) == 0 && errors.Is(err, io.EOF):
		return errors.New("it is empty")
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case string(head) != "\x1f\x8b":
		return errForeign
	}
	return nil
}

func read(ctx context.Context, r *bufio.Reader, dir string, accept func(Manifest) error) (m Manifest, err error) {
	z, err := gzip.NewReader(r)
	if errors.Is(err, gzip.ErrHeader) {
		return m, errForeign
	}
	if err != nil {
		return m, err
	}
	z.Multistream(false)
	in := &bounded{z, maxManifest + maxRest}
	t := tar.NewReader(in)
	if m, err = readManifest(t); err != nil {
		return m, err
	}
	if err := accept(m); err != nil {
		return m, err
	}
	in.left = m.Size() + int64(len(m.Files))*(4*maxName) + maxRest
	for _, f := range m.Files {
		if err := ctx.Err(); err != nil {
			return m, err
		}
		if err := unpack(t, f, dir); err != nil {
			return m, err
		}
	}
	return m, ends(t, in, r)
}

// maxRest is how many bytes the headers around the manifest, and what fills a tar's last block, have at most.
const maxRest = 16 << 20

// A bounded reads at most left bytes. A tar's headers and its end compress to nothing and cost time.
type bounded struct {
	r    io.Reader
	left int64
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errors.New("it has more than its manifest says")
	}
	return n, err
}

// ends reads to the end, because the checksum of the compressed data comes last.
func ends(t *tar.Reader, z io.Reader, r *bufio.Reader) error {
	h, err := t.Next()
	if err == nil {
		return fmt.Errorf("it has a file that its manifest does not name: %.80q", h.Name)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := io.Copy(io.Discard, z); err != nil {
		return err
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		return errors.New("something follows its end")
	}
	return nil
}

func readManifest(t *tar.Reader) (m Manifest, err error) {
	h, err := t.Next()
	switch {
	case errors.Is(err, tar.ErrHeader), errors.Is(err, io.EOF):
		return m, errForeign
	case err != nil:
		return m, err
	case h.Name != manifestName || h.Typeflag != tar.TypeReg || h.Size > maxManifest:
		return m, errForeign
	}
	data, err := io.ReadAll(t)
	if err != nil {
		return m, err
	}
	// The version first: a newer manifest may have another shape.
	var head Manifest
	var shape struct {
		Format  string
		Version int
		Dokku   string
	}
	if json.Unmarshal(data, &shape) != nil {
		return m, errForeign
	}
	head.Format, head.Version, head.Dokku, head.ID = shape.Format, shape.Version, shape.Dokku, "x"
	if err := head.check(); err != nil {
		return m, err
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("its manifest cannot be read: %w", err)
	}
	return m, m.check()
}

// unpack creates one file from the next member.
func unpack(t *tar.Reader, want File, dir string) error {
	h, err := t.Next()
	switch {
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%s is missing in it", shown(want.Name))
	case err != nil:
		return err
	case h.Name != want.Name || h.Typeflag != tar.TypeReg || h.Size != want.Size:
		return fmt.Errorf("it has %.80q where its manifest says %s", h.Name, shown(want.Name))
	}
	path := filepath.Join(dir, filepath.FromSlash(want.Name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, sum), t)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != want.SHA256 {
		return fmt.Errorf("%s in it was changed after the backup: its checksum differs", shown(want.Name))
	}
	return nil
}

// shown is a name for a person: a name is printable, and may hold what turns the text around it.
func shown(name string) string {
	if quoted := strconv.Quote(name); quoted != `"`+name+`"` {
		return quoted
	}
	return name
}
