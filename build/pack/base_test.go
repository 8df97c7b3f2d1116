package pack

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/opencontainers/go-digest"
	oci "github.com/opencontainers/image-spec/specs-go/v1"

	"dokku/build/buildtest"
)

// TestWholeImage: an engine that needs every layer gets those of the run image too, as
// docker save writes them.
func TestWholeImage(t *testing.T) {
	cli := buildtest.Engine(t)
	id := buildtest.BaseImage(t, cli, nil)
	run, err := cli.ImageInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	blob, name, diffID := layer(t, "own "+id) // a layer that the engine does not have
	base := digest.Digest(run.RootFS.Layers[0])
	config, err := json.Marshal(oci.Image{Platform: oci.Platform{OS: run.Os, Architecture: run.Architecture},
		RootFS: oci.RootFS{Type: "layers", DiffIDs: []digest.Digest{base, diffID}}})
	if err != nil {
		t.Fatal(err)
	}
	j := &job{client: cli, run: found("run", run)}
	a := &archive{base: 1, save: j.saveRun(t.Context()), exported: exported{config: config, diffIDs: []digest.Digest{base, diffID},
		layers: []oci.Descriptor{{Digest: base}, {Digest: digest.NewDigestFromEncoded(digest.SHA256, name)}}}}
	own := func(each func(string, sized) error) error {
		return each(name, sized{bytes.NewReader(blob), int64(len(blob))})
	}
	var out bytes.Buffer
	if err := a.write(&out, own); err != nil {
		t.Fatal(err)
	}
	var files []string
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, h.Name)
	}
	if !slices.ContainsFunc(files, func(f string) bool { return strings.HasPrefix(f, "run/") && strings.HasSuffix(f, "/layer.tar") }) ||
		!slices.Contains(files, name+".tar") || files[len(files)-1] != "manifest.json" {
		t.Errorf("the archive has %s", files)
	}
	made, err := a.into(t.Context(), cli, own)
	if err != nil {
		t.Fatal(err)
	}
	i, err := cli.ImageInspect(t.Context(), made)
	if err != nil || !slices.Equal(i.RootFS.Layers, []string{string(base), string(diffID)}) {
		t.Errorf("%v: the image has the layers %s", err, i.RootFS.Layers)
	}
	cli.ImageRemove(t.Context(), made, image.RemoveOptions{})
}
