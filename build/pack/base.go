package pack

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/image-spec/specs-go/v1"
)

// storeContainerd is the image store of containerd, as the engine's status names it.
const storeContainerd = "io.containerd.snapshotter.v1"

// savedImage is an image in the manifest.json of docker save.
type savedImage struct {
	Config string
	Layers []string // files, the lowest layer first
}

// wholeImages returns what saves the run image if the engine loads whole images only: the
// image store of containerd, the default since Docker 29, looks for every layer's file.
func (j *job) wholeImages(ctx context.Context) (func() (io.ReadCloser, error), error) {
	info, err := j.client.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the engine how it stores images: %w", err)
	}
	if !slices.ContainsFunc(info.DriverStatus, func(s [2]string) bool { return s[1] == storeContainerd }) {
		return nil, nil
	}
	return j.saveRun(ctx), nil
}

// saveRun returns the run image as docker save writes it.
func (j *job) saveRun(ctx context.Context) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return j.client.ImageSave(ctx, []string{j.run.id}) }
}

// baseDir is the folder of the run image's files in the archive.
const baseDir = "run/"

// copyBase copies the files of the run image, and returns those of its layers.
func (a *archive) copyBase(w *tar.Writer) ([]string, error) {
	failed := func(err error) ([]string, error) { return nil, fmt.Errorf("cannot copy the run image: %w", err) }
	saved, err := a.save()
	if err != nil {
		return failed(err)
	}
	defer saved.Close()
	var manifest []savedImage
	for r := tar.NewReader(saved); ; {
		h, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			if len(manifest) != 1 || len(manifest[0].Layers) != a.base {
				return failed(errors.New("docker save wrote other layers than it has"))
			}
			var names []string
			for _, name := range manifest[0].Layers {
				names = append(names, baseDir+name)
			}
			return names, nil
		case err != nil:
			return failed(err)
		case h.Name == "manifest.json":
			err = json.NewDecoder(r).Decode(&manifest)
		case h.Name == "repositories", h.Name == v1.ImageIndexFile, h.Name == v1.ImageLayoutFile:
			// These would make the run image what is loaded.
		default:
			h.Name = baseDir + h.Name
			if err = w.WriteHeader(h); err == nil {
				_, err = io.Copy(w, r)
			}
		}
		if err != nil {
			return failed(err)
		}
	}
}
