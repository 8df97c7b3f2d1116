package docker

import (
	"context"
	"fmt"
	"regexp"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// apparent is how many bytes a container may have written, as the engine counts them, that need
// no second look. It counts the lengths of files, and a database may keep one of a terabyte that
// is nearly all holes.
const apparent = 64 << 20

// anonymousVolume is a name that the engine has made up.
var anonymousVolume = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Written implements Inspector.
func (d *Engine) Written(ctx context.Context, id string) (int64, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return 0, err
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	size, err := d.written(ctx, cli, id)
	if err != nil {
		return 0, fmt.Errorf("cannot measure what container %s has written: %w", engine.Short(id), d.explainContainer(ctx, id, err))
	}
	return size, nil
}

func (d *Engine) written(ctx context.Context, cli *client.Client, id string) (size int64, err error) {
	r, _, err := cli.ContainerInspectWithRaw(ctx, id, true)
	if err != nil {
		return 0, err
	}
	if r.SizeRw != nil {
		size = *r.SizeRw
	}
	var volumes []string
	for _, m := range r.Mounts {
		if m.Type == mount.TypeVolume && m.Driver == "local" && anonymousVolume.MatchString(m.Name) {
			volumes = append(volumes, m.Name)
		}
	}
	if d.config.Program != "" {
		if exact, err := d.onDisk(ctx, cli, r, size, volumes); err == nil {
			return exact, nil
		} else if ctx.Err() != nil {
			return 0, err
		}
	}
	// No container can be made, such as on a full disk: the engine looks by itself.
	of, err := volumeSizes(ctx, cli, volumes)
	return size + of, err
}

// onDisk returns what a container takes on the disk, whose root folder has size bytes as the
// engine counts them. It runs a container only where that may differ.
func (d *Engine) onDisk(ctx context.Context, cli *client.Client, r container.InspectResponse, size int64, volumes []string) (int64, error) {
	var mounts []mount.Mount
	add := func(m mount.Mount) {
		m.Target, m.ReadOnly = fmt.Sprintf("%s/%d", measured, len(mounts)), true
		mounts = append(mounts, m)
	}
	for _, name := range volumes {
		add(mount.Mount{Type: mount.TypeVolume, Source: name, VolumeOptions: &mount.VolumeOptions{NoCopy: true}})
	}
	if g := r.GraphDriver; size > apparent && g.Name == "overlay2" && g.Data["UpperDir"] != "" {
		add(mount.Mount{Type: mount.TypeBind, Source: g.Data["UpperDir"]})
		size = 0
	}
	if len(mounts) == 0 {
		return size, nil
	}
	own, err := d.sizeOf(ctx, cli, mounts)
	return size + own, err
}

// volumeSizes returns how many bytes volumes have, as the engine counts them with all others that
// it has: that may take long.
func volumeSizes(ctx context.Context, cli *client.Client, names []string) (size int64, err error) {
	if len(names) == 0 {
		return 0, nil
	}
	use, err := cli.DiskUsage(ctx, types.DiskUsageOptions{Types: []types.DiskUsageObject{types.VolumeObject}})
	if err != nil {
		return 0, err
	}
	for _, v := range use.Volumes {
		for _, name := range names {
			if v.Name == name && v.UsageData != nil {
				size += max(0, v.UsageData.Size)
			}
		}
	}
	return size, nil
}
