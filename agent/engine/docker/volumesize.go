package docker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/stdcopy"

	"dokku/agent/disk"
	"dokku/agent/engine"
)

// SizeCommand is the word by which main calls PrintSize, in a container of its own.
const SizeCommand = "volume:size"

// measured is where that container has the volumes.
const measured = "/volumes"

// PrintSize prints how many bytes the volumes take on the disk that the container of measure has.
func PrintSize(w io.Writer) error {
	size, err := disk.Size(measured)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, size)
	return err
}

// cacheVolumes returns how many bytes an app's caches take that are volumes, without those of a
// build that runs. A plain user cannot look into a volume, and the engine measures all that it has
// or none, so this program looks in a container that may read and nothing else.
func (d *Engine) cacheVolumes(ctx context.Context, cli *client.Client, app string) (int64, error) {
	list, err := cli.VolumeList(ctx, volume.ListOptions{Filters: labelled(app)})
	if err != nil {
		return 0, err
	}
	var mounts []mount.Mount
	for _, v := range list.Volumes {
		if engine.OfDokku(v.Labels, nil) || v.Labels[engine.LabelContainerType] == string(engine.KindBuild) {
			continue
		}
		mounts = append(mounts, mount.Mount{Type: mount.TypeVolume, Source: v.Name, Target: fmt.Sprintf("%s/%d", measured, len(mounts)), ReadOnly: true,
			VolumeOptions: &mount.VolumeOptions{NoCopy: true}})
	}
	if len(mounts) == 0 || d.config.Program == "" {
		return 0, nil
	}
	return d.sizeOf(ctx, cli, mounts)
}

// sizeOf returns how many bytes the files of the mounts take on the disk.
func (d *Engine) sizeOf(ctx context.Context, cli *client.Client, mounts []mount.Mount) (int64, error) {
	empty, err := importEmpty(ctx, cli)
	if err != nil {
		return 0, err
	}
	out, err := d.measure(ctx, cli, empty, mounts)
	settled, cancel := engine.Settled(ctx, engine.SlowCall)
	defer cancel()
	_, failed := cli.ImageRemove(settled, empty, image.RemoveOptions{})
	if errdefs.IsConflict(failed) || errdefs.IsNotFound(failed) {
		failed = nil // another one measures with the same image, and removes it
	}
	if err = errors.Join(err, failed); err != nil {
		return 0, err
	}
	size, err := strconv.ParseInt(strings.TrimSpace(out), 10, 64)
	if err != nil {
		return 0, errors.New(strings.TrimSpace(out))
	}
	return size, nil
}

// measure runs this program with the mounts, and returns what it prints. The engine removes the
// container at its end. It ends with ctx: there may be more files than anybody waits for.
func (d *Engine) measure(ctx context.Context, cli *client.Client, empty string, mounts []mount.Mount) (string, error) {
	const program = "/dokku"
	mounts = append(mounts, mount.Mount{Type: mount.TypeBind, Source: d.config.Program, Target: program, ReadOnly: true})
	made, err := cli.ContainerCreate(ctx,
		&container.Config{Image: empty, User: "0:0", Entrypoint: []string{program, SizeCommand}, AttachStdout: true, AttachStderr: true},
		&container.HostConfig{NetworkMode: "none", Mounts: mounts, AutoRemove: true, ReadonlyRootfs: true, CapDrop: []string{"ALL"},
			CapAdd: []string{"DAC_READ_SEARCH"}, SecurityOpt: []string{"no-new-privileges"},
			Resources: container.Resources{Memory: 256 << 20, PidsLimit: new(int64(64))}},
		nil, nil, "")
	if err != nil {
		return "", err
	}
	done := false
	defer func() {
		if !done {
			settled, cancel := engine.Settled(ctx, engine.SlowCall)
			defer cancel()
			removeContainer(settled, cli, made.ID)
		}
	}()
	streams, err := cli.ContainerAttach(ctx, made.ID, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return "", err
	}
	defer streams.Close()
	gone, lost := cli.ContainerWait(ctx, made.ID, container.WaitConditionRemoved)
	if err := cli.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, streams.Close) // the copy knows no context
	defer stop()
	var out bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &out, streams.Reader); err != nil {
		return "", cmp.Or(context.Cause(ctx), err)
	}
	select {
	case <-gone:
		done = true
		return out.String(), nil
	case err := <-lost:
		return "", err
	}
}
