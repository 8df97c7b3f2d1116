package sources

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// The tables are written anew from what was understood. Readers of JSON differ in which keys they take for
// the same and which of two they believe, so nothing that was only passed on can be trusted.

// savedImage is an image of manifest.json. LayerSources, which only images of Windows have, stay out.
type savedImage struct {
	Config   string
	RepoTags []string
	Layers   []string
	Parent   string `json:",omitempty"`
}

func (f *nameFilter) manifest(data []byte) ([]byte, error) {
	var images []savedImage
	if err := json.Unmarshal(data, &images); err != nil {
		return nil, err
	}
	for n := range images {
		images[n].RepoTags = slices.DeleteFunc(images[n].RepoTags, func(t string) bool { return !f.wants(t) })
		f.seen = f.seen || len(images[n].RepoTags) > 0
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

// nameAnnotation names an image of an OCI layout. org.opencontainers.image.ref.name does so where it is
// missing, and is left out.
const nameAnnotation = "io.containerd.image.name"

// keptAnnotations name no image: when it was made, and of which it attests something.
var keptAnnotations = []string{"org.opencontainers.image.created", "vnd.docker.reference.type", "vnd.docker.reference.digest"}

func (f *nameFilter) index(data []byte) ([]byte, error) {
	var index ocispec.Index
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("%w: make the archive with docker save", err)
	}
	index.Annotations, index.Subject = nil, nil
	for n := range index.Manifests {
		m := &index.Manifests[n]
		m.URLs, m.Data = nil, nil
		for name, value := range m.Annotations {
			wanted := name == nameAnnotation && f.wants(value) || slices.Contains(keptAnnotations, name) || strings.HasPrefix(name, "containerd.io/distribution.source.")
			if !wanted {
				delete(m.Annotations, name)
			}
		}
	}
	return json.Marshal(index)
}
