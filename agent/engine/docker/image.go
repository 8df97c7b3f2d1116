package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
	spec "github.com/moby/docker-image-spec/specs-go/v1"

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
		info.Weight = weigh(r.Config)
		if info.Weight.Ports <= everyPort {
			for port := range r.Config.ExposedPorts {
				info.Ports = append(info.Ports, tcpPorts(port)...)
			}
		}
	}
	slices.Sort(info.Ports)
	info.Ports = slices.Compact(info.Ports)
	return info, nil
}

// everyPort is how many ports there are, of TCP, UDP and SCTP. A hand-made image may expose more,
// in ranges of which each has others: nothing reads those.
const everyPort = 3 * (1<<16 - 1)

// weigh measures an image's configuration.
func weigh(c *spec.DockerOCIImageConfig) engine.ImageWeight {
	data, _ := json.Marshal(c) // it has been read from JSON
	w := engine.ImageWeight{Volumes: len(c.Volumes), Labels: len(c.Labels), Bytes: len(data)}
	for port := range c.ExposedPorts {
		from, to, _ := portRange(port)
		w.Ports += 1 + to - from
	}
	for name, value := range c.Labels {
		w.LabelBytes += len(name) + len(value)
	}
	return w
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

// The least times of an image's HEALTHCHECK in a container. The engine runs the command outside
// of the container's limits, at a cost of about 20 ms of a processor for each run, and it is
// the image that says how often.
const (
	leastHealthInterval = 5 * time.Second
	leastHealthStart    = time.Second // the interval during the start period
	leastHealthTimeout  = time.Second
)

// seldom returns the HEALTHCHECK for a container of an image that asks for runs in too quick a
// succession; nil: the image's own will do. It leaves an image that is missing to the caller.
func seldom(ctx context.Context, cli *client.Client, image string) (*container.HealthConfig, error) {
	r, err := cli.ImageInspect(ctx, image)
	if errdefs.IsNotFound(err) || err == nil && r.Config == nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return slowed(r.Config.Healthcheck), nil
}

// slowed returns a HEALTHCHECK with the least times; nil where h keeps to them. A time of 0 is
// the engine's default.
func slowed(h *container.HealthConfig) *container.HealthConfig {
	if h == nil {
		return nil
	}
	s := *h
	for _, t := range []struct {
		is    *time.Duration
		least time.Duration
	}{{&s.Interval, leastHealthInterval}, {&s.StartInterval, leastHealthStart}, {&s.Timeout, leastHealthTimeout}} {
		if *t.is != 0 {
			*t.is = max(*t.is, t.least)
		}
	}
	if s.Interval == h.Interval && s.StartInterval == h.StartInterval && s.Timeout == h.Timeout {
		return nil
	}
	return &s
}

// tcpPorts reads one entry of an image's exposed ports: "80/tcp", "80" or, by
// hand-made images, "8000-8002/tcp".
func tcpPorts(s string) []int {
	if _, protocol, given := strings.Cut(s, "/"); given && protocol != "tcp" {
		return nil
	}
	first, last, ok := portRange(s)
	if !ok {
		return nil
	}
	var all []int
	for p := first; p <= last; p++ {
		all = append(all, p)
	}
	return all
}

// portRange reads the numbers of such an entry, of any protocol.
func portRange(s string) (first, last int, ok bool) {
	ports, _, _ := strings.Cut(s, "/")
	from, to, ranged := strings.Cut(ports, "-")
	if !ranged {
		to = from
	}
	one, err1 := strconv.ParseUint(from, 10, 16)
	two, err2 := strconv.ParseUint(to, 10, 16)
	if err1 != nil || err2 != nil || one == 0 || two < one {
		return 0, 0, false
	}
	return int(one), int(two), true
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
