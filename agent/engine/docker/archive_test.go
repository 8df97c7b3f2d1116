package docker

import (
	"archive/tar"
	"bytes"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

// digest is a digest of one repeated character.
func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

// archiveOf makes an archive of names and contents.
func archiveOf(t *testing.T, files ...string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Size: int64(len(files[i+1])), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, files[i+1])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// TestLoadedIDs: the ids of images after they were carried to an engine with the same
// or the other kind of image store.
func TestLoadedIDs(t *testing.T) {
	hex := func(c string) string { return strings.Repeat(c, 64) }
	// Of engine 20.10: manifest.json alone.
	classic := []string{hex("a") + ".json", "{}", hex("1") + "/layer.tar", "\x00layer", hex("b") + ".json", "{}",
		"manifest.json", `[{"Config":"` + hex("a") + `.json","RepoTags":null},{"Config":"` + hex("b") + `.json","RepoTags":null}]`}
	// Of containerd's store: e is an index of the manifest c of the configuration a; f is
	// the manifest of b.
	modern := []string{"oci-layout", `{"imageLayoutVersion":"1.0.0"}`, "blobs/sha256/" + hex("a"), `{"config":{"Cmd":["x"]}}`,
		"blobs/sha256/" + hex("b"), `{"config":{"Cmd":["y"]}}`, "blobs/sha256/" + hex("1"), "\x1f\x8blayer",
		"blobs/sha256/" + hex("c"), `{"config":{"digest":"` + digest("a") + `"},"layers":[]}`,
		"blobs/sha256/" + hex("e"), `{"manifests":[{"digest":"` + digest("c") + `"}]}`,
		"blobs/sha256/" + hex("f"), `{"config":{"digest":"` + digest("b") + `"},"layers":[]}`,
		"index.json", `{"manifests":[{"digest":"` + digest("e") + `"},{"digest":"` + digest("f") + `"}]}`,
		"manifest.json", `[{"Config":"blobs/sha256/` + hex("a") + `"},{"Config":"blobs/sha256/` + hex("b") + `"}]`}
	for _, c := range []struct {
		name    string
		archive []string
		loaded  string // the engine's answer
		want    map[string]string
	}{
		{"classic to classic", classic, digest("b") + " " + digest("a"), map[string]string{digest("a"): digest("a"), digest("b"): digest("b")}},
		{"classic to containerd", classic, digest("8") + " " + digest("9"), map[string]string{digest("a"): digest("8"), digest("b"): digest("9"), digest("8"): digest("8"), digest("9"): digest("9")}},
		{"containerd to classic", modern, digest("a") + " " + digest("b"), map[string]string{digest("a"): digest("a"), digest("c"): digest("a"), digest("e"): digest("a"), digest("b"): digest("b"), digest("f"): digest("b")}},
		{"containerd to containerd", modern, digest("f") + " " + digest("e"), map[string]string{digest("a"): digest("e"), digest("c"): digest("e"), digest("e"): digest("e"), digest("b"): digest("f"), digest("f"): digest("f")}},
		{"an answer for one of two", classic, digest("8"), map[string]string{digest("8"): digest("8")}},
	} {
		var answer strings.Builder
		answer.WriteString(`{"status":"Loading layer","progressDetail":{"current":1,"total":2},"id":"1"}` + "\n")
		for _, id := range strings.Fields(c.loaded) {
			answer.WriteString(`{"stream":"Loaded image ID: ` + id + `\n"}` + "\n")
		}
		loaded, failed, err := readLoaded(strings.NewReader(answer.String()))
		if err != nil || failed != "" || !slices.Equal(loaded, strings.Fields(c.loaded)) {
			t.Fatalf("%s: %q, %q, %v", c.name, loaded, failed, err)
		}
		found, err := readArchive(archiveOf(t, c.archive...))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := match(found, loaded); !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for answer, want := range map[string]string{
		`{"stream":"x"}{"error":"no space left on device"}`:                                                              "no space left on device",
		`{"stream":"Loaded image ID: sha256:1\n"}{"stream":"Error unpacking image sha256:1: no space left on device\n"}`: "Error unpacking image sha256:1: no space left on device",
	} {
		if _, failed, err := readLoaded(strings.NewReader(answer)); err != nil || failed != want {
			t.Errorf("%q, %v, want %q", failed, err, want)
		}
	}
	if _, err := readArchive(strings.NewReader("no archive")); err == nil {
		t.Error("what is no archive was read")
	}
}
