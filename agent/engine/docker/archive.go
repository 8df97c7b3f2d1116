package docker

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
)

// maxBlob is the size in bytes of the largest configuration or manifest of an image.
const maxBlob = 4 << 20

// archived are the ids that one image of an archive of docker save may have: the digest
// of its configuration in the classic image store, and those of its manifest and index
// in containerd's.
type archived []string

// blob is a manifest or an index, as far as ids depend on it.
type blob struct {
	Config    *struct{ Digest string }
	Manifests []struct{ Digest string }
}

// readArchive returns the images of an archive in the order of its manifest.json, which
// is the order of the engine's answer to a load.
func readArchive(r io.Reader) ([]archived, error) {
	var images []struct{ Config string }
	blobs := map[string]blob{}
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		dir, name := path.Split(path.Clean(h.Name))
		switch {
		case h.Size > maxBlob:
		case dir == "" && name == "manifest.json":
			err = json.NewDecoder(files).Decode(&images)
		case dir == "blobs/sha256/":
			var b blob
			if json.NewDecoder(files).Decode(&b) == nil { // layers are no JSON
				blobs["sha256:"+name] = b
			}
		}
		if err != nil {
			return nil, err
		}
	}
	var found []archived
	for _, i := range images {
		id := "sha256:" + strings.TrimSuffix(path.Base(i.Config), ".json")
		found = append(found, parents(blobs, id))
	}
	return found, nil
}

// parents returns a digest, those of the manifests that name it, and theirs.
func parents(blobs map[string]blob, digest string) archived {
	all := archived{digest}
	for i := 0; i < len(all); i++ {
		for id, b := range blobs {
			names := b.Config != nil && b.Config.Digest == all[i]
			for _, m := range b.Manifests {
				names = names || m.Digest == all[i]
			}
			if names && !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
	}
	return all
}

// match returns the id that each image has now, by the ids that it may have had. An
// answer with another number of images says nothing about those that changed.
func match(found []archived, loaded []string) map[string]string {
	ids := map[string]string{}
	for _, id := range loaded {
		ids[id] = id
	}
	if len(found) != len(loaded) {
		return ids
	}
	// An image that kept an id is found by it, whatever the order.
	rest := slices.Clone(loaded)
	var changed []archived
	for _, image := range found {
		i := slices.IndexFunc(rest, func(id string) bool { return slices.Contains(image, id) })
		if i < 0 {
			changed = append(changed, image)
			continue
		}
		for _, id := range image {
			ids[id] = rest[i]
		}
		rest = slices.Delete(rest, i, i+1)
	}
	for i, image := range changed {
		for _, id := range image {
			ids[id] = rest[i]
		}
	}
	return ids
}
