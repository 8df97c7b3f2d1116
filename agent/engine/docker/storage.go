package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// labelChown is the label of the container through which Chown reaches a folder; its
// value is dir.
const labelChown = "com.dokku.storage-root"

// Chown implements Storage. It unpacks an archive with the folder alone into a
// container that has dir mounted and is never started: the engine makes the
// folder, or gives the one that is there to its new owner, and no program runs
// as root for it. The container's image is empty.
func (d *Engine) Chown(ctx context.Context, dir, name string, uid int) error {
	if err := d.chown(ctx, dir, name, uid); err != nil {
		return fmt.Errorf("cannot give %s/%s to user %d: %w", dir, name, uid, err)
	}
	return nil
}

func (d *Engine) chown(ctx context.Context, dir, name string, uid int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := engine.Settled(ctx, engine.SlowCall)
	defer cancel()
	return d.holding(ctx, mount.Mount{Type: mount.TypeBind, Source: dir}, func(cli *client.Client, id string) error {
		return cli.CopyToContainer(ctx, id, held, folder(name, uid), container.CopyToContainerOptions{})
	})
}

// held is where holding mounts a source.
const held = "/storage"

// holding calls use with a container that has a source mounted, and is never started. Its image
// is empty. The container and the image are removed when use has returned, also after the end of ctx.
func (d *Engine) holding(ctx context.Context, source mount.Mount, use func(cli *client.Client, id string) error) (err error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	empty, err := importEmpty(ctx, cli)
	if err != nil {
		return d.explain(ctx, err)
	}
	settled, cancel := context.WithoutCancel(ctx), func() {}
	defer func() {
		defer cancel()
		_, failed := cli.ImageRemove(settled, empty, image.RemoveOptions{})
		err = errors.Join(err, d.explain(settled, failed))
	}()
	if err := sweepChown(ctx, cli, source.Source); err != nil {
		return d.explain(ctx, err)
	}
	source.Target = held
	made, err := cli.ContainerCreate(ctx,
		&container.Config{Image: empty, Cmd: []string{"none"}, Labels: map[string]string{labelChown: source.Source}},
		&container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{source}},
		nil, nil, "")
	if err != nil && strings.Contains(err.Error(), "bind source path does not exist") {
		return fmt.Errorf("folder %s: %w", source.Source, engine.ErrNoSource)
	}
	if err != nil {
		return d.explain(ctx, err)
	}
	defer func() {
		settled, cancel = context.WithTimeout(context.WithoutCancel(ctx), engine.SlowCall)
		err = errors.Join(err, d.explain(settled, removeContainer(settled, cli, made.ID)))
	}()
	return d.explain(ctx, use(cli, made.ID))
}

// ReadFiles implements Storage.
func (d *Engine) ReadFiles(ctx context.Context, source string, w io.Writer) error {
	if err := d.exists(ctx, source); err != nil {
		return err
	}
	m := mountOf(source)
	m.ReadOnly = true
	return d.holding(ctx, m, func(cli *client.Client, id string) error {
		r, _, err := cli.CopyFromContainer(ctx, id, held+"/.")
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = io.Copy(w, r)
		return err
	})
}

// WriteFiles implements Storage.
func (d *Engine) WriteFiles(ctx context.Context, source string, r io.Reader) error {
	return d.holding(ctx, mountOf(source), func(cli *client.Client, id string) error {
		return cli.CopyToContainer(ctx, id, held, r, container.CopyToContainerOptions{})
	})
}

// mountOf is a mount of a folder or a volume.
func mountOf(source string) mount.Mount {
	if filepath.IsAbs(source) {
		return mount.Mount{Type: mount.TypeBind, Source: source}
	}
	return mount.Mount{Type: mount.TypeVolume, Source: source}
}

// exists returns ErrNoSource for a missing volume, which the engine would make. It refuses a
// missing folder by itself.
func (d *Engine) exists(ctx context.Context, source string) error {
	if filepath.IsAbs(source) {
		return nil
	}
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	if _, err = cli.VolumeInspect(ctx, source); errdefs.IsNotFound(err) {
		return fmt.Errorf("volume %s: %w", source, engine.ErrNoSource)
	}
	return d.explain(ctx, err)
}

// sweepChown removes the container that a killed call has left.
func sweepChown(ctx context.Context, cli *client.Client, dir string) error {
	left, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelChown+"="+dir))})
	if err != nil {
		return err
	}
	for _, c := range left {
		if err := removeContainer(ctx, cli, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// folder is an archive that holds one folder.
func folder(name string, uid int) io.Reader {
	var b bytes.Buffer
	w := tar.NewWriter(&b) // a bytes.Buffer takes all
	w.WriteHeader(&tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755, Uid: uid, Gid: uid, ModTime: time.Now()})
	w.Close()
	return &b
}

// importEmpty makes an image without any file.
func importEmpty(ctx context.Context, cli *client.Client) (id string, err error) {
	var b bytes.Buffer
	tar.NewWriter(&b).Close()
	answer, err := cli.ImageImport(ctx, image.ImportSource{Source: &b, SourceName: "-"}, "", image.ImportOptions{})
	if err != nil {
		return "", err
	}
	defer answer.Close()
	for lines := json.NewDecoder(answer); ; {
		var line struct{ Status, Error string }
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return "", errors.New("the engine imports an empty image and does not name it")
		} else if err != nil {
			return "", err
		}
		switch {
		case line.Error != "":
			return "", errors.New(line.Error)
		case strings.HasPrefix(line.Status, "sha256:"):
			return line.Status, nil
		}
	}
}
