package sources

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"math"
	"strings"
	"testing"

	"dokku/agent/engine"
)

// TestSavedImages: of the names in an archive, the engine gets the one that was asked for.
func TestSavedImages(t *testing.T) {
	list := func(names string) item {
		return item{name: "manifest.json", text: `[{"Config":"c.json","RepoTags":[` + names + `],"Layers":["a/layer.tar"]}]`, mode: 0o644}
	}
	layer := item{name: "a/layer.tar", text: "layer", mode: 0o644}
	shared := item{name: "b/layer.tar", kind: tar.TypeSymlink, link: "../a/layer.tar"}
	want, err := parseImage("web:1")
	must(t, err)
	for n, test := range []struct {
		items []item
		err   string
	}{
		{[]item{layer, shared, list(`"web:1","other:1"`)}, ""},
		{[]item{layer, list(`"other:1"`)}, "Loaded image tarball but the specified docker image was not found: web:1"},
		{[]item{layer}, "it has no manifest.json"},
		// A second list of names behind a link.
		{[]item{list(`"web:1"`), {name: "names", text: `[{"RepoTags":["other:1"]}]`}, {name: "manifest.json", kind: tar.TypeSymlink, link: "names"}},
			`cannot load the image: "manifest.json" in the archive is a link or a device, which docker save does not write`},
		{[]item{list(`"web:1"`), {name: "names"}, {name: "./manifest.json", kind: tar.TypeLink, link: "names"}}, `"./manifest.json" in the archive is a link`},
		{[]item{list(`"web:1"`), {name: "d", kind: tar.TypeSymlink, link: "."}, {name: "d/manifest.json", text: "[]"}}, `"d" in the archive is a link`},
		{[]item{list(`"web:1"`), {name: "layer.tar", kind: tar.TypeSymlink, link: "."}, {name: "layer.tar/manifest.json", text: "[]"}},
			`"layer.tar/manifest.json" in the archive lies below a layer`},
		{[]item{list(`"web:1"`), {name: "null", kind: tar.TypeChar}}, `"null" in the archive is a link or a device`},
	} {
		var out bytes.Buffer
		err := (&nameFilter{want: want}).copy(&out, bytes.NewReader(tarOf(t, test.items...)))
		if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%d: %v, want %q", n, err, test.err)
		}
		if strings.Contains(out.String(), "other:1") && test.err == "" {
			t.Errorf("%d: the engine gets another name:\n%s", n, out.String())
		}
	}
}

// TestLoadUnnamed: a backup's archive takes no name from another app's image.
func TestLoadUnnamed(t *testing.T) {
	in := tarOf(t, item{name: "manifest.json", text: `[{"Config":"c.json","RepoTags":["dokku/other:latest","debian:12"],"Layers":[]}]`},
		item{name: "repositories", text: `{"dokku/other":{"latest":"x"}}`},
		item{name: "index.json", text: `{"manifests":[{"annotations":{"io.containerd.image.name":"docker.io/dokku/other:latest"}}]}`})
	host := &keeper{}
	if _, err := LoadUnnamed(t.Context(), host, bytes.NewReader(in)); err != nil {
		t.Fatal(err)
	}
	if got := host.got.String(); strings.Contains(got, "other") || strings.Contains(got, "debian") || !strings.Contains(got, "c.json") {
		t.Errorf("the engine gets\n%q", got)
	}
}

// A keeper is an engine that keeps the archive.
type keeper struct {
	engine.Archives
	got bytes.Buffer
}

func (k *keeper) Load(_ context.Context, r io.Reader) (map[string]string, error) {
	_, err := io.Copy(&k.got, r)
	return nil, err
}

// A reader reads an archive as an engine does, and loads nothing.
type reader struct{ engine.Archives }

func (reader) Load(_ context.Context, r io.Reader) (map[string]string, error) {
	_, err := io.Copy(io.Discard, r)
	return nil, err
}

// TestTooLargeImage: an image ends at the limit, also if it is compressed to less, and where
// the disk has no room for it twice. The engine loads nothing.
func TestTooLargeImage(t *testing.T) {
	const mega = 1 << 20
	zeros := item{name: "a/layer.tar", text: strings.Repeat("\x00", 100*mega), mode: 0o644}
	plain := tarOf(t, zeros, item{name: "manifest.json", text: `[{"Config":"c.json","RepoTags":["web:1"],"Layers":["a/layer.tar"]}]`, mode: 0o644})
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write(plain)
	z.Close()
	ref, err := parseImage("web:1")
	must(t, err)
	for _, test := range []struct {
		in    []byte
		limit int64
		room  int64
		want  string
	}{
		{plain, 50 * mega, math.MaxInt64, "cannot load the image: Archive exceeds maximum allowed size of 52428800 bytes; to allow more: dokku git:set --global archive-max-size BYTES"},
		{zipped.Bytes(), 50 * mega, math.MaxInt64, "cannot load the image: Archive exceeds maximum allowed size of 52428800 bytes; to allow more: dokku git:set --global archive-max-size BYTES"},
		{zipped.Bytes(), 200 * mega, 60 * mega, "cannot load the image: the server's disk has no room for it after 67 MB; free some on the server: dokku cleanup, docker builder prune"},
	} {
		var in io.Reader = &limitedReader{r: bytes.NewReader(test.in), left: test.limit, limit: test.limit}
		err := loadNamed(t.Context(), reader{}, ref, in, test.limit, func() int64 { return test.room })
		if err == nil || err.Error() != test.want {
			t.Errorf("%d bytes, %d allowed, room for %d: %v, want %s", len(test.in), test.limit, test.room, err, test.want)
		}
	}
}
