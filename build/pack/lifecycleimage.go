package pack

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

// lifecycleName is the name of the image of the lifecycle, without its tag.
const lifecycleName = "dokku-lifecycle"

// programs are the files of the image of the lifecycle. All but the launcher are one
// program that goes by its name.
var (
	programs = []string{"lifecycle", "launcher"}
	phases   = []string{"analyzer", "restorer", "exporter"}
)

// installed returns an error if the lifecycle is missing.
func (b *Builder) installed() error {
	for _, name := range programs {
		if _, err := os.Stat(filepath.Join(b.config.Lifecycle, name)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("this server has no lifecycle of Cloud Native Buildpacks in %s; ./install.sh install builds it", b.config.Lifecycle)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// lifecycleImage returns the id of the image that has the lifecycle and nothing else, and
// makes it if the engine does not have it. Its tag is a digest of the programs, so that
// an upgrade makes another one.
func (b *Builder) lifecycleImage(ctx context.Context) (string, error) {
	failed := func(err error) error { return fmt.Errorf("cannot make the image of the lifecycle: %w", err) }
	var archive bytes.Buffer
	if err := b.lifecycleArchive(&archive); err != nil {
		return "", failed(err)
	}
	sum := sha256.Sum256(archive.Bytes())
	name := lifecycleName + ":" + hex.EncodeToString(sum[:6])
	cli := b.config.Client()
	if i, err := cli.ImageInspect(ctx, name); err == nil {
		return i.ID, nil
	} else if !errdefs.IsNotFound(err) {
		return "", failed(err)
	}
	answer, err := cli.ImageImport(ctx, image.ImportSource{Source: &archive, SourceName: "-"}, name, image.ImportOptions{})
	if err != nil {
		return "", failed(err)
	}
	defer answer.Close()
	for d := json.NewDecoder(answer); ; {
		var line struct{ Status, Error string }
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil || line.Error != "" {
			return "", failed(errors.Join(err, errors.New(line.Error)))
		}
	}
	i, err := cli.ImageInspect(ctx, name)
	if err != nil {
		return "", failed(err)
	}
	b.removeFormer(ctx, name)
	return i.ID, nil
}

// removeFormer removes the images of other lifecycles, which an upgrade leaves behind. One
// that a build uses has containers and stays until the next upgrade; what else fails does so
// again then. A build of a former version that has no container yet makes its image again at
// the next push.
func (b *Builder) removeFormer(ctx context.Context, name string) {
	cli := b.config.Client()
	list, err := cli.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", lifecycleName))})
	if err != nil {
		return
	}
	for _, i := range list {
		for _, tag := range i.RepoTags {
			if former.MatchString(tag) && tag != name {
				cli.ImageRemove(ctx, tag, image.RemoveOptions{})
			}
		}
	}
}

// former is what an image of the lifecycle is called.
var former = regexp.MustCompile(`^` + lifecycleName + `:[0-9a-f]{12}$`)

// lifecycleArchive writes the files of the image.
func (b *Builder) lifecycleArchive(to io.Writer) error {
	w := tar.NewWriter(to)
	for _, h := range []tar.Header{
		{Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777},
		{Name: "cnb/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "cnb/lifecycle/", Typeflag: tar.TypeDir, Mode: 0o755},
	} {
		if err := put(w, h, nil); err != nil {
			return err
		}
	}
	for _, name := range programs {
		content, err := os.ReadFile(filepath.Join(b.config.Lifecycle, name))
		if err == nil {
			err = put(w, tar.Header{Name: "cnb/lifecycle/" + name, Mode: 0o755}, content)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range phases {
		if err := put(w, tar.Header{Name: "cnb/lifecycle/" + name, Typeflag: tar.TypeSymlink, Linkname: "lifecycle", Mode: 0o777}, nil); err != nil {
			return err
		}
	}
	return w.Close()
}

// fileTime is the modification time of every file that a build gets, as for pack:
// buildpacks see the same files at each build.
var fileTime = time.Date(1980, 1, 1, 0, 0, 1, 0, time.UTC)

// put writes one entry of an archive.
func put(w *tar.Writer, h tar.Header, content []byte) error {
	h.Size, h.ModTime = int64(len(content)), fileTime
	if h.Typeflag == 0 {
		h.Typeflag = tar.TypeReg
	}
	if err := w.WriteHeader(&h); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}
