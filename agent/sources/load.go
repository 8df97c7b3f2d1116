package sources

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	ids, err := load(ctx, host, ref, func(out io.Writer) io.Writer { return &roomWriter{w: out, limit: limit, room: room} }, in)
	if err != nil {
		return err
	}
	if _, isID := ref.(reference.Named); !isID && !slices.Contains(values(ids), ref.String()) {
		return missingImage(ref)
	}
	return nil
}

// LoadUnnamed has the engine load an archive of docker save without any of its names, so that
// it takes none from another image. It returns the ids as engine.Archives does.
func LoadUnnamed(ctx context.Context, host engine.Archives, in io.Reader) (ids map[string]string, err error) {
	return load(ctx, host, nil, func(out io.Writer) io.Writer { return out }, in)
}

func load(ctx context.Context, host engine.Archives, want reference.Reference, through func(io.Writer) io.Writer, in io.Reader) (map[string]string, error) {
	r, w := io.Pipe()
	filter := &nameFilter{want: want}
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
	seen bool
	err  error // what is wrong with the archive
}

func (f *nameFilter) copy(out io.Writer, in io.Reader) error {
	err := f.entries(out, in)
	if err != nil && !errors.Is(err, errEngineRefused) {
		f.err = err
	}
	return err
}

func (f *nameFilter) entries(out io.Writer, in io.Reader) error {
	in, err := unzipped(in)
	if err != nil {
		return err
	}
	to, listed := tar.NewWriter(out), false
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
		if err := checkSaved(h); err != nil {
			return fmt.Errorf("cannot load the image: %w", err)
		}
		var content io.Reader = files
		if change := f.change(h); change != nil {
			listed = listed || path.Clean(h.Name) == "manifest.json"
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
	if !listed {
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

// checkSaved refuses an entry that docker save never writes and by which an archive could
// bring a second list of names past the filter: a link in its place, or a way to it.
func checkSaved(h *tar.Header) error {
	name := path.Clean(h.Name)
	switch dir, base := path.Split(name); {
	case slices.Contains(strings.Split(dir, "/"), layerLink):
		return fmt.Errorf("%.200q in the archive lies below a layer", h.Name)
	case h.Typeflag == tar.TypeReg, h.Typeflag == tar.TypeDir, base == layerLink && h.Typeflag == tar.TypeSymlink:
		return nil
	}
	return fmt.Errorf("%.200q in the archive is a link or a device, which docker save does not write", h.Name)
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

// unzipped returns the content of an archive that may be compressed with gzip.
func unzipped(in io.Reader) (io.Reader, error) {
	b := bufio.NewReader(in)
	if magic, _ := b.Peek(2); !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return b, nil
	}
	z, err := gzip.NewReader(b)
	if err != nil {
		return nil, fmt.Errorf("cannot load the image: %w", err)
	}
	return z, nil
}

// change returns how an entry changes; nil: not at all. The names of images stand in
// manifest.json, in the older file repositories, and in the index of the OCI layout.
func (f *nameFilter) change(h *tar.Header) func([]byte) ([]byte, error) {
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	switch path.Clean(h.Name) {
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

func (f *nameFilter) manifest(data []byte) ([]byte, error) {
	var images []map[string]json.RawMessage
	if err := json.Unmarshal(data, &images); err != nil {
		return nil, err
	}
	for _, i := range images {
		var tags []string
		if err := json.Unmarshal(i["RepoTags"], &tags); err != nil && len(i["RepoTags"]) > 0 {
			return nil, err
		}
		tags = slices.DeleteFunc(tags, func(t string) bool { return !f.wants(t) })
		f.seen = f.seen || len(tags) > 0
		text, err := json.Marshal(tags)
		if err != nil {
			return nil, err
		}
		i["RepoTags"] = text
	}
	return json.Marshal(images)
}

func (f *nameFilter) repositories(data []byte) ([]byte, error) {
	var all map[string]map[string]string
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	for name, tags := range all {
		for tag := range tags {
			if !f.wants(name + ":" + tag) {
				delete(tags, tag)
			}
		}
		if len(tags) == 0 {
			delete(all, name)
		}
	}
	return json.Marshal(all)
}

// nameAnnotations are the annotations by which an engine names an image of an OCI layout.
var nameAnnotations = []string{"io.containerd.image.name", "org.opencontainers.image.ref.name"}

func (f *nameFilter) index(data []byte) ([]byte, error) {
	var index map[string]json.RawMessage
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, err
	}
	var list []map[string]json.RawMessage
	if err := json.Unmarshal(index["manifests"], &list); err != nil {
		return nil, err
	}
	for _, m := range list {
		var notes map[string]string
		if err := json.Unmarshal(m["annotations"], &notes); err != nil || f.wants(notes[nameAnnotations[0]]) {
			continue
		}
		for _, name := range nameAnnotations {
			delete(notes, name)
		}
		text, err := json.Marshal(notes)
		if err != nil {
			return nil, err
		}
		m["annotations"] = text
	}
	text, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	index["manifests"] = text
	return json.Marshal(index)
}
