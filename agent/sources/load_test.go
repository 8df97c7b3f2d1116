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

// TestNamesPastTheFilter: an archive gives the engine a name of another app's image, by a key or a member that the
// engine takes for the one that was filtered, or by first bytes that it takes for a compression.
func TestNamesPastTheFilter(t *testing.T) {
	list := func(text string) item { return item{name: "manifest.json", text: text, mode: 0o644} }
	good := list(`[{"Config":"c.json","RepoTags":["web:1"],"Layers":["a/layer.tar"]}]`)
	index := func(text string) []item { return []item{good, {name: "index.json", text: text, mode: 0o644}} }
	note := `{"io.containerd.image.name":"docker.io/dokku/other:latest"`
	want, err := parseImage("web:1")
	must(t, err)
	for name, test := range map[string]struct {
		items []item
		err   string
	}{
		"a key in another case":     {[]item{list(`[{"Config":"c.json","RepoTags":["web:1"]},{"Config":"c.json","RepoTags":[],"repotags":["dokku/other:latest"]}]`)}, ""},
		"a key of another letter":   {[]item{list(`[{"Config":"c.json","RepoTags":["web:1"]},{"Config":"c.json","RepoTagſ":["dokku/other:latest"]}]`)}, ""},
		"an absolute member":        {[]item{good, {name: "/manifest.json", text: `[{"RepoTags":["dokku/other:latest"]}]`}}, `"/manifest.json" in the archive lies outside of it`},
		"a member above":            {[]item{good, {name: "a/../../manifest.json", text: "[]"}}, `"a/../../manifest.json" in the archive lies outside`},
		"a second member":           {[]item{good, {name: "./manifest.json", text: "[]"}}, "the archive has manifest.json twice: make the archive with docker save"},
		"a second layout":           {[]item{good, {name: "oci-layout", text: "{}"}, {name: "a/../oci-layout", text: "{}"}}, "the archive has oci-layout twice"},
		"a folder of a table":       {[]item{good, {name: "index.json", kind: tar.TypeDir}}, `"index.json" in the archive is a folder`},
		"annotations in their case": {index(`{"manifests":[{"annotations":{},"Annotations":` + note + `}}]}`), ""},
		"manifests in their case":   {index(`{"manifests":[],"Manifests":[{"annotations":` + note + `}}]}`), ""},
		"an annotation of no text":  {index(`{"manifests":[{"annotations":` + note + `,"x":1}}]}`), "index.json in the archive: json: cannot unmarshal number"},
		"an index of an annotation": {index(`{"manifests":[],"annotations":` + note + `}}`), ""},
		"a frame of zstd":           {[]item{{name: "P*M\x18\x01\x01\x01\x01", text: "x", mode: 0o644}, good}, ""},
	} {
		var out bytes.Buffer
		err := (&nameFilter{want: want}).copy(&out, bytes.NewReader(tarOf(t, test.items...)))
		if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: %v, want %q", name, err, test.err)
		}
		if test.err == "" && (strings.Contains(out.String(), "other") || !strings.HasPrefix(out.String(), "blobs/\x00")) {
			t.Errorf("%s: the engine gets\n%q", name, out.String())
		}
	}
}

// TestSavedLayouts: what docker save, podman save and buildx write comes through with the wanted name.
func TestSavedLayouts(t *testing.T) {
	want, err := parseImage("web:1")
	must(t, err)
	in := tarOf(t, item{name: "blobs/sha256/", kind: tar.TypeDir}, item{name: "blobs/sha256/aa", text: "blob", mode: 0o644},
		item{name: "index.json", text: `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",` +
			`"digest":"sha256:aa","size":4,"annotations":{"io.containerd.image.name":"docker.io/library/web:1","org.opencontainers.image.ref.name":"1"},"platform":{"architecture":"amd64","os":"linux"}}]}`},
		item{name: "manifest.json", text: `[{"Config":"blobs/sha256/aa","RepoTags":["web:1"],"Layers":["blobs/sha256/aa"],"LayerSources":{"sha256:aa":{"size":4}}}]`},
		item{name: "oci-layout", text: `{"imageLayoutVersion":"1.0.0"}`}, item{name: "repositories", text: `{"web":{"1":"aa"}}`})
	var out bytes.Buffer
	must(t, (&nameFilter{want: want}).copy(&out, bytes.NewReader(in)))
	for _, text := range []string{`[{"Config":"blobs/sha256/aa","RepoTags":["web:1"],"Layers":["blobs/sha256/aa"]}]`,
		`"digest":"sha256:aa","size":4,"annotations":{"io.containerd.image.name":"docker.io/library/web:1"},"platform":{"architecture":"amd64","os":"linux"}}`,
		`{"imageLayoutVersion":"1.0.0"}`, `{"web":{"1":"aa"}}`, "blob"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%s is missing in\n%q", text, out.String())
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
