package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"dokku/agent/engine"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/client"
)

// labelChown is carried by the container through which Chown reaches a folder;
// its value is dir.
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

func (d *Engine) chown(ctx context.Context, dir, name string, uid int) (err error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := engine.Settled(ctx, engine.SlowCall)
	defer cancel()
	empty, err := importEmpty(ctx, cli)
	if err != nil {
		return d.explain(ctx, err)
	}
	defer func() {
		_, failed := cli.ImageRemove(ctx, empty, image.RemoveOptions{})
		err = errors.Join(err, d.explain(ctx, failed))
	}()
	if err := sweepChown(ctx, cli, dir); err != nil {
		return d.explain(ctx, err)
	}
	made, err := cli.ContainerCreate(ctx,
		&container.Config{Image: empty, Cmd: []string{"none"}, Labels: map[string]string{labelChown: dir}},
		&container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{{Type: mount.TypeBind, Source: dir, Target: "/storage"}}},
		nil, nil, "")
	if err != nil {
		return d.explain(ctx, err)
	}
	defer func() { err = errors.Join(err, d.explain(ctx, removeContainer(ctx, cli, made.ID))) }()
	return d.explain(ctx, cli.CopyToContainer(ctx, made.ID, "/storage", folder(name, uid), container.CopyToContainerOptions{}))
}

// sweepChown removes what a call left that was killed.
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
