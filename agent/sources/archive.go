package sources

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// ArchiveTypes are the types of archives, as Dokku calls them.
var ArchiveTypes = []string{typeTar, typeTarGz, typeZip}

const (
	typeTar   = "tar"
	typeTarGz = "tar.gz"
	typeZip   = "zip"
)

// maxLink is the length in bytes of the longest target of a link.
const maxLink = 4096

const (
	// maxTail is how many bytes follow the last file of a tar at most. tar fills its last block,
	// which has 10 kB unless somebody asks for more.
	maxTail = 16 << 20
	// maxHeader is more than the headers of a file with a long name, and what fills its last block.
	maxHeader = 16 << 10
)

// Archive is the input of FromArchive.
type Archive struct {
	Type string // one of ArchiveTypes
	// URL is an http or https address; "" reads Stdin.
	URL   string
	Stdin io.Reader
	Author
	// dial connects to a host for somebody who is no admin; nil: any host will do.
	dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// FromArchive deploys the files of an archive.
func (i *Importer) FromArchive(ctx context.Context, name string, a Archive, log event.Log) error {
	t, err := i.target(name, "")
	if err != nil {
		return err
	}
	limits, err := i.limits()
	if err != nil {
		return err
	}
	dir, done, err := i.staging(t)
	if err != nil {
		return err
	}
	defer done()
	from := "standard input"
	if a.URL == "" {
		log.Step("Fetching %s file from stdin", a.Type)
	} else {
		if from, err = withoutSecrets(a.URL); err != nil {
			return err
		}
		log.Step("Downloading %s file from %s", a.Type, from)
	}
	if err := i.Server.Env.CheckSpace("take the archive", log); err != nil {
		return err
	}
	if i.Bounded {
		a.dial = i.hosts().DialAllowed
	}
	w := newObjects(dir, limits)
	if err := a.read(ctx, w, log); err != nil {
		return fmt.Errorf("cannot use the %s archive from %s: %w", a.Type, from, err)
	}
	log.Step("Generating build context")
	if top := w.strip(); top != "" {
		log.Detail("Stripping top-level archive folder components (%s)", top)
	}
	tree, err := w.checkedTree()
	if err != nil {
		return fmt.Errorf("cannot use the %s archive from %s: %w", a.Type, from, err)
	}
	log.Step("Updating git repository with specified build context")
	return i.commit(ctx, t, w, tree, a.Author, "git:from-archive "+from+"\n", deploy.Origin{Command: "git:from-archive",
		Source: app.Source{Kind: a.Type, From: from}})
}

// read writes the archive's files into w. Only a zip archive has to be on the disk first.
func (a Archive) read(ctx context.Context, w *objects, log event.Log) error {
	in, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	limited := &limitedReader{r: bufio.NewReader(&cancelReader{ctx, in}), left: w.limits.Size, limit: w.limits.Size}
	defer log.Busy("reading the archive")()
	switch a.Type {
	case typeTar:
		return readTar(w, limited)
	case typeTarGz:
		z, err := gzip.NewReader(limited)
		if err != nil {
			return wrongType(err, a.Type)
		}
		// Headers and what follows the last file count too: they cost time, and compress to nothing.
		unpacked := w.limits.Size + int64(w.limits.Files)*maxHeader + maxTail
		return readTar(w, &limitedReader{r: z, left: unpacked, limit: w.limits.Size})
	case typeZip:
		return spoolZip(w, limited)
	}
	//lint:ignore ST1005 Dokku's own message
	return errors.New("Invalid archive type specified, valid archive types include: tar, tar.gz, zip")
}

func wrongType(err error, kind string) error {
	var over *sizeError
	if errors.As(err, &over) {
		return err
	}
	return fmt.Errorf("it is not a %s archive (%w): if it is of another type, add --archive-type with tar, tar.gz or zip", kind, err)
}

// readTar takes the entries in their order. It needs no second look: links are checked
// when all is known.
func readTar(w *objects, r io.Reader) error {
	seen := false
	for files := tar.NewReader(r); ; seen = true {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			// Read on: a broken checksum of gzip shows at the end.
			var n int64
			if n, err = io.Copy(io.Discard, io.LimitReader(r, maxTail+1)); err == nil && n > maxTail {
				err = fmt.Errorf("more than %d MB follow its end; to fix: pack the files again", maxTail>>20)
			}
			if err == nil && !seen {
				err = errors.New("it has no files")
			}
			return err
		}
		if err != nil {
			return wrongType(err, typeTar)
		}
		if err := addTarEntry(w, h, files); err != nil {
			return err
		}
	}
}

func addTarEntry(w *objects, h *tar.Header, content io.Reader) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return w.admit(h.Name, 0)
	}
	name, err := clean(h.Name)
	if err == nil {
		err = w.admit(h.Name, h.Size)
	}
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if name == "" {
			return nil
		}
		return w.put(name, nil)
	case tar.TypeReg, tar.TypeGNUSparse:
		if name == "" {
			return entryError(h.Name, errors.New("it has no name"))
		}
		return w.add(name, fileMode(h.FileInfo().Mode()), h.Size, content)
	case tar.TypeSymlink:
		return w.link(name, h.Name, h.Linkname)
	case tar.TypeLink:
		to, err := clean(h.Linkname)
		if err != nil {
			return err
		}
		f, ok := w.at(to)
		if !ok || name == "" {
			return entryError(h.Name, fmt.Errorf("it is a hard link to %.200q, which is no file before it in the archive", h.Linkname))
		}
		return w.put(name, f)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return entryError(h.Name, errors.New("it is a device or a pipe, not a file"))
	}
	return entryError(h.Name, fmt.Errorf("its type %q is not supported: it is no file, folder or link", h.Typeflag))
}

func fileMode(m fs.FileMode) filemode.FileMode {
	if m&0o100 != 0 {
		return filemode.Executable
	}
	return filemode.Regular
}

// link adds a symbolic link. checkedTree looks at where it leads.
func (w *objects) link(name, shown, target string) error {
	switch {
	case name == "":
		return entryError(shown, errors.New("it has no name"))
	case target == "" || len(target) > maxLink || strings.Contains(target, "\x00"):
		return entryError(shown, fmt.Errorf("it is a link without a usable target (%d bytes)", len(target)))
	case strings.HasPrefix(target, "/"):
		return entryError(shown, fmt.Errorf("it is a link to %.200q: links with absolute targets are not allowed", target))
	case leads(path.Dir(name), target):
		return leadsOut(shown, target)
	}
	blob, err := w.write(plumbing.BlobObject, int64(len(target)), strings.NewReader(target))
	if err != nil {
		return entryError(shown, err)
	}
	if err := w.put(name, &file{filemode.Symlink, blob}); err != nil {
		return err
	}
	f, _ := w.at(name)
	w.links = append(w.links, symlink{f, target})
	return nil
}

type symlink struct {
	file   *file
	target string
}

// checkedTree refuses links that lead out of the commit and writes its folders. Links
// are checked last, because the top folder of an archive may be gone by then.
func (w *objects) checkedTree() (plumbing.Hash, error) {
	if empty(w.root) {
		return plumbing.ZeroHash, errors.New("it has no files")
	}
	targets := map[*file]string{}
	for _, l := range w.links {
		targets[l.file] = l.target
	}
	if err := checkLinks(w.root, "", targets); err != nil {
		return plumbing.ZeroHash, err
	}
	return w.tree()
}

func checkLinks(dir folder, at string, targets map[*file]string) error {
	for name, entry := range dir {
		here := path.Join(at, name)
		switch e := entry.(type) {
		case folder:
			if err := checkLinks(e, here, targets); err != nil {
				return err
			}
		case *file:
			target, ok := targets[e]
			if ok && leads(at, target) {
				return leadsOut(here, target)
			}
		}
	}
	return nil
}

// leads reports whether a link in a folder leads out of the root.
func leads(folder, target string) bool {
	to := path.Join(folder, target)
	return to == ".." || strings.HasPrefix(to, "../")
}

func leadsOut(name, target string) error {
	return entryError(name, fmt.Errorf("it is a link to %.200q: symlinks pointing outside extraction directory are not allowed", target))
}

// spoolZip stores a zip archive, whose table of contents is at its end, and reads it.
func spoolZip(w *objects, r io.Reader) error {
	f, err := os.OpenFile(filepath.Join(w.dir, "archive.zip"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	size, err := io.Copy(f, r)
	if err != nil {
		return err
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return wrongType(err, typeZip)
	}
	if len(z.File) == 0 {
		return errors.New("it has no files")
	}
	for _, e := range z.File {
		if err := addZipEntry(w, e); err != nil {
			return err
		}
	}
	return nil
}

func addZipEntry(w *objects, e *zip.File) error {
	name, err := clean(e.Name)
	if err != nil {
		return err
	}
	size, mode := int64(e.UncompressedSize64), e.Mode()
	if e.UncompressedSize64 > uint64(w.limits.Size) {
		size = -1 // admit refuses it
	}
	if err := w.admit(e.Name, size); err != nil {
		return err
	}
	switch {
	case e.Flags&1 != 0:
		return entryError(e.Name, errors.New("it is encrypted"))
	case mode.IsDir():
		if name == "" {
			return nil
		}
		return w.put(name, nil)
	case mode&(fs.ModeType&^fs.ModeSymlink) != 0:
		return entryError(e.Name, errors.New("it is a device or a pipe, not a file"))
	case name == "":
		return entryError(e.Name, errors.New("it has no name"))
	}
	in, err := e.Open()
	if err != nil {
		return entryError(e.Name, err)
	}
	defer in.Close()
	if mode&fs.ModeSymlink == 0 {
		err := w.add(name, fileMode(mode), size, in)
		if err == nil { // the checksum is at the end
			_, err = in.Read(make([]byte, 1))
			if err = withoutEOF(err); err != nil {
				err = entryError(e.Name, err)
			}
		}
		return err
	}
	target, err := io.ReadAll(io.LimitReader(in, maxLink+1))
	if err != nil {
		return entryError(e.Name, err)
	}
	return w.link(name, e.Name, string(target))
}

func withoutEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// A sizeError is the error of an archive that is larger than allowed.
type sizeError struct{ limit int64 }

func (e *sizeError) Error() string {
	return fmt.Sprintf("Archive exceeds maximum allowed size of %d bytes; to allow more: dokku git:set --global archive-max-size BYTES", e.limit)
}

// limitedReader fails after limit bytes, where io.LimitReader pretends that the input
// ends.
type limitedReader struct {
	r           io.Reader
	left, limit int64
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > l.left+1 {
		p = p[:l.left+1]
	}
	n, err := l.r.Read(p)
	if l.left -= int64(n); l.left < 0 {
		return 0, &sizeError{l.limit}
	}
	return n, err
}

// cancelReader ends when its context does.
type cancelReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancelReader) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
