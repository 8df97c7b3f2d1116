package docker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"

	"dokku/agent/engine"
)

// Image implements Images.
func (d *Engine) Image(ctx context.Context, ref string) (engine.ImageInfo, error) {
	i, err := d.image(ctx, ref)
	if err != nil {
		return engine.ImageInfo{}, fmt.Errorf("cannot inspect image %s: %w", engine.Short(ref), err)
	}
	return i, nil
}

func (d *Engine) image(ctx context.Context, ref string) (engine.ImageInfo, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return engine.ImageInfo{}, err
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	r, err := cli.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		return engine.ImageInfo{}, fmt.Errorf("%w (%s)", engine.ErrNoImage, engine.Short(ref))
	}
	if err != nil {
		return engine.ImageInfo{}, d.explain(ctx, err)
	}
	info := engine.ImageInfo{ID: r.ID, Size: r.Size, Digests: r.RepoDigests}
	if r.Config != nil {
		info.Entrypoint = r.Config.Entrypoint
		info.Command = r.Config.Cmd
		info.StopSignal = r.Config.StopSignal
		info.Healthcheck = healthcheck(r.Config.Healthcheck, r.Config.Shell)
		for port := range r.Config.ExposedPorts {
			info.Ports = append(info.Ports, tcpPorts(port)...)
		}
	}
	slices.Sort(info.Ports)
	info.Ports = slices.Compact(info.Ports)
	return info, nil
}

// healthcheck converts an image's HEALTHCHECK; nil: it has none, or NONE.
// shell is the image's SHELL.
func healthcheck(h *container.HealthConfig, shell []string) *engine.Healthcheck {
	if h == nil || len(h.Test) < 2 {
		return nil
	}
	command := h.Test[1:]
	switch h.Test[0] {
	case "CMD":
	case "CMD-SHELL":
		if len(shell) == 0 {
			shell = []string{"/bin/sh", "-c"}
		}
		command = slices.Concat(shell, command)
	default:
		return nil
	}
	return &engine.Healthcheck{Command: command, Interval: h.Interval, Timeout: h.Timeout, StartPeriod: h.StartPeriod, Retries: h.Retries}
}

// tcpPorts reads one entry of an image's exposed ports: "80/tcp", "80" or, by
// hand-made images, "8000-8002/tcp".
func tcpPorts(s string) []int {
	ports, protocol, given := strings.Cut(s, "/")
	if given && protocol != "tcp" {
		return nil
	}
	from, to, ranged := strings.Cut(ports, "-")
	if !ranged {
		to = from
	}
	first, err1 := strconv.ParseUint(from, 10, 16)
	last, err2 := strconv.ParseUint(to, 10, 16)
	if err1 != nil || err2 != nil || first == 0 {
		return nil
	}
	var all []int
	for p := first; p <= last; p++ {
		all = append(all, int(p))
	}
	return all
}

// Tag implements Images.
func (d *Engine) Tag(ctx context.Context, id, tag string) error {
	cli, err := d.connect(ctx)
	if err == nil {
		var cancel context.CancelFunc
		ctx, cancel = engine.Within(ctx, engine.QuickCall)
		defer cancel()
		err = cli.ImageTag(ctx, id, tag)
	}
	switch {
	case err == nil:
		return nil
	case errdefs.IsNotFound(err):
		err = fmt.Errorf("%w (%s)", engine.ErrNoImage, engine.Short(id))
	default:
		err = d.explain(ctx, err)
	}
	return fmt.Errorf("cannot tag image %s as %s: %w", engine.Short(id), tag, err)
}
