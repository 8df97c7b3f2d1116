package pack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	oci "github.com/opencontainers/image-spec/specs-go/v1"

	"dokku/build/buildtest"
)

// TestUntrusted: a buildpack cannot choose what its app is put on, and sees neither caches
// nor the lifecycle's own files.
func TestUntrusted(t *testing.T) {
	l := newLab(t, buildtest.Buildpack{ID: "test/evil", Version: "1.0.0", Detect: "exit 0", Build: `
ls -d /cache /layout /trusted /var/run/docker.sock /root/.docker 2>/dev/null && echo "SEES WHAT IT MUST NOT"
cat /proc/self/status | grep -q 'CapEff:	0000000000000000' || echo "HAS CAPABILITIES"
printf '[image]\nreference = "/layers/evil@sha256:%064d"\n[run-image]\nreference = "/layers/evil@sha256:%064d"\nimage = "evil"\n' 0 0 > "$layers/../analyzed.toml"
printf '[[processes]]\ntype = "web"\ncommand = ["true"]\n' > "$layers/launch.toml"
printf '[[labels]]\nkey = "com.dokku.app-name"\nvalue = "another"\n' >> "$layers/launch.toml"
`})
	result, out := l.built(buildtest.Files{"x": "y"})
	if strings.Contains(out, "MUST NOT") || strings.Contains(out, "CAPABILITIES") {
		t.Error(out)
	}
	made, err := l.cli.ImageInspect(t.Context(), result.ImageID)
	if err != nil {
		t.Fatal(err)
	}
	run, err := l.cli.ImageInspect(t.Context(), l.run)
	if err != nil {
		t.Fatal(err)
	}
	if made.RootFS.Layers[0] != run.RootFS.Layers[0] || made.Config.Labels[buildtest.LabelApp] != l.app {
		t.Errorf("the image is %v with the label %q", made.RootFS.Layers, made.Config.Labels[buildtest.LabelApp])
	}
}

// layer is a compressed layer with one file, its digest and its diff id.
func layer(t *testing.T, content string) (blob []byte, name string, diffID digest.Digest) {
	t.Helper()
	var plain, packed bytes.Buffer
	w := tar.NewWriter(&plain)
	if err := put(w, tar.Header{Name: "file", Mode: 0o644}, []byte(content)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	z := gzip.NewWriter(&packed)
	z.Write(plain.Bytes())
	z.Close()
	sum := sha256.Sum256(packed.Bytes())
	return packed.Bytes(), hex.EncodeToString(sum[:]), digest.FromBytes(plain.Bytes())
}

// TestForeignLayers: an exported image has to bring the content of all layers but those of
// the run image, or it could name the layers of another app.
func TestForeignLayers(t *testing.T) {
	blob, name, diffID := layer(t, "own")
	other, _, foreign := layer(t, "another")
	for _, c := range []struct {
		diffID digest.Digest
		blob   []byte
		err    string
	}{
		{diffID, blob, ""},
		{foreign, blob, "the exported image is damaged: the layer " + name + " has another content"},
		{diffID, other, "the exported image is damaged: the layer " + name + " has another content"},
		{diffID, nil, "the exported image lacks the layer " + name},
		{diffID, []byte("no gzip"), "the exported image is damaged: the layer " + name + " has another content"},
	} {
		a := &archive{exported: exported{config: []byte("{}"), diffIDs: []digest.Digest{"sha256:base", c.diffID},
			layers: []oci.Descriptor{{Digest: "sha256:base"}, {Digest: digest.NewDigestFromEncoded(digest.SHA256, name)}}}, base: 1}
		err := a.write(io.Discard, func(each func(string, sized) error) error {
			if c.blob == nil {
				return nil
			}
			return each(name, sized{bytes.NewReader(c.blob), int64(len(c.blob))})
		})
		if (err == nil) != (c.err == "") || err != nil && !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%v, want %q", err, c.err)
		}
	}
}
