package sources

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// maxIndex is the size in bytes of the largest table of contents of a saved image.
const maxIndex = 4 << 20

// defaultMaxImage is how many bytes an archive of an image has at most, if
// archive-max-size does not allow more.
const defaultMaxImage = 20 << 30

func imageLimits(set app.Settings) (int64, error) {
	n, err := set.GitLimit(PropMaxSize, defaultMaxImage)
	return max(n, defaultMaxImage), err
}

// loadNamed has the engine load an archive of docker save, of whose names it keeps ref
// alone. An archive without the image is refused before the engine has all of it, so that
// it loads nothing. The engine gets at most limit bytes, and no more than room allows.
func loadNamed(ctx context.Context, host engine.Archives, ref reference.Reference, in io.Reader, limit int64, room func() int64) error {
	ids, err := load(ctx, host, &nameFilter{want: ref, unzipped: limit}, func(out io.Writer) io.Writer { return &roomWriter{w: out, limit: limit, room: room} }, in)
	if err != nil {
		return err
	}
	if _, isID := ref.(reference.Named); !isID && !slices.Contains(values(ids), ref.String()) {
		return missingImage(ref)
	}
	return nil
}

// LoadUnnamed has the engine load an archive of docker save without any of its names, so that
// it takes none from another image. It returns the ids as engine.Archives does. The archive is as docker
// save writes it: a compressed one could be of any size for the engine.
func LoadUnnamed(ctx context.Context, host engine.Archives, in io.Reader) (ids map[string]string, err error) {
	return load(ctx, host, &nameFilter{}, func(out io.Writer) io.Writer { return out }, in)
}

func load(ctx context.Context, host engine.Archives, filter *nameFilter, through func(io.Writer) io.Writer, in io.Reader) (map[string]string, error) {
	r, w := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.CloseWithError(filter.copy(through(w), in))
	}()
	ids, err := host.Load(ctx, r)
	r.CloseWithError(errEngineRefused) // what is left has no reader
	<-ended
	if filter.err != nil {
		return nil, filter.err
	}
	return ids, err
}

var errEngineRefused = errors.New("the engine reads no more")

func values(m map[string]string) (list []string) {
	for was, is := range m {
		list = append(list, was, is)
	}
	return list
}

// missingImage has Dokku's text.
func missingImage(ref reference.Reference) error {
	name := ref.String()
	if named, ok := ref.(reference.Named); ok {
		name = reference.FamiliarString(named)
	}
	//lint:ignore ST1005 Dokku's own message
	return fmt.Errorf("Loaded image tarball but the specified docker image was not found: %s", name)
}

// A nameFilter copies an archive of docker save without all names but one; nil: without any.
type nameFilter struct {
	want reference.Reference
	// unzipped is how many bytes an archive that is compressed has at most; 0: it may not be.
	unzipped int64
	seen     bool
	err      error // what is wrong with the archive
}

func (f *nameFilter) copy(out io.Writer, in io.Reader) error {
	err := f.entries(out, in)
	if err != nil && !errors.Is(err, errEngineRefused) {
		f.err = err
	}
	return err
}

func (f *nameFilter) entries(out io.Writer, in io.Reader) error {
	in, err := f.plain(in)
	if err != nil {
		return err
	}
	to, listed := tar.NewWriter(out), map[string]bool{}
	// An engine looks at the first bytes for a compression, and the name of a member would be those.
	if err := to.WriteHeader(&tar.Header{Name: "blobs/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
		return fmt.Errorf("cannot load the image: %w", err)
	}
	for files := tar.NewReader(in); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if tooLarge := (*sizeError)(nil); errors.As(err, &tooLarge) {
			return fmt.Errorf("cannot load the image: %w", err)
		} else if err != nil {
			return fmt.Errorf("cannot load the image: standard input is not what docker save writes: %w", err)
		}
		name, err := savedName(h)
		if err == nil && listed[name] {
			err = fmt.Errorf("the archive has %s twice", name)
		}
		if err != nil {
			return fmt.Errorf("cannot load the image: %w: make the archive with docker save", err)
		}
		listed[name] = slices.Contains(tables, name)
		var content io.Reader = files
		if change := f.change(h); change != nil {
			data, err := io.ReadAll(io.LimitReader(files, maxIndex+1))
			if err == nil && len(data) > maxIndex {
				err = errors.New("it is too large")
			}
			if err == nil {
				data, err = change(data)
			}
			if err != nil {
				return fmt.Errorf("cannot load the image: %s in the archive: %w", h.Name, err)
			}
			h.Size, content = int64(len(data)), bytes.NewReader(data)
		}
		if err := copyEntry(to, h, content); err != nil {
			return fmt.Errorf("cannot load the image: %w", err)
		}
	}
	if !listed[tables[0]] {
		return errors.New("cannot load the image: standard input is not what docker save writes: it has no manifest.json")
	}
	if named, ok := f.want.(reference.NamedTagged); ok && !f.seen {
		return missingImage(named)
	}
	return to.Close()
}

// layerLink is the only name of a link in what docker save writes: a layer that another
// image has too.
const layerLink = "layer.tar"

// tables are the files that have names of images or say what the archive is. Each may come once.
var tables = []string{"manifest.json", "repositories", "index.json", "oci-layout"}

// savedName makes the name of an entry the one that all readers agree on, and returns it. It refuses an
// entry that docker save never writes and by which an archive could bring a second list of names past the
// filter: a link in its place, a way to it, or a path that an engine reads as another one. A sparse file
// is small here and of any size for the engine.
func savedName(h *tar.Header) (string, error) {
	name := path.Clean(h.Name)
	dir, base := path.Split(name)
	switch {
	case path.IsAbs(h.Name), name == "..", strings.HasPrefix(name, "../"):
		return "", fmt.Errorf("%.200q in the archive lies outside of it", h.Name)
	case slices.Contains(strings.Split(dir, "/"), layerLink):
		return "", fmt.Errorf("%.200q in the archive lies below a layer", h.Name)
	case slices.ContainsFunc(slices.Collect(maps.Keys(h.PAXRecords)), func(k string) bool { return strings.HasPrefix(k, "GNU.sparse.") }):
		return "", fmt.Errorf("%.200q in the archive is a sparse file, which docker save does not write", h.Name)
	case h.Typeflag == tar.TypeDir && slices.Contains(tables, name):
		return "", fmt.Errorf("%.200q in the archive is a folder", h.Name)
	case h.Typeflag == tar.TypeDir:
		h.Name = name + "/"
		return name, nil
	case h.Typeflag == tar.TypeReg, base == layerLink && h.Typeflag == tar.TypeSymlink:
		h.Name = name
		return name, nil
	}
	return "", fmt.Errorf("%.200q in the archive is a link or a device, which docker save does not write", h.Name)
}

// copyEntry copies an entry as plain as possible: the engine needs neither extended
// attributes nor the format of the original.
func copyEntry(to *tar.Writer, h *tar.Header, content io.Reader) error {
	h.Format, h.PAXRecords = tar.FormatUnknown, nil
	if err := to.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(to, content)
	return err
}

// plain returns the content of an archive that may be compressed with gzip. Its end counts too: what
// reads a tar passes over headers without a file.
func (f *nameFilter) plain(in io.Reader) (io.Reader, error) {
	b := bufio.NewReader(in)
	if f.unzipped == 0 {
		return b, nil
	}
	if magic, _ := b.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("cannot load the image: %w", err)
	}
	return &limitedReader{r: z, left: f.unzipped, limit: f.unzipped}, nil
}

// change returns how an entry changes; nil: not at all. The names of images stand in
// manifest.json, in the older file repositories, and in the index of the OCI layout.
func (f *nameFilter) change(h *tar.Header) func([]byte) ([]byte, error) {
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	switch h.Name {
	case "manifest.json":
		return f.manifest
	case "repositories":
		return f.repositories
	case "index.json":
		return f.index
	}
	return nil
}

// wants reports whether a name is the one that stays.
func (f *nameFilter) wants(name string) bool {
	named, err := reference.ParseNormalizedNamed(name)
	want, tagged := f.want.(reference.NamedTagged)
	return err == nil && tagged && reference.TagNameOnly(named).String() == want.String()
}
