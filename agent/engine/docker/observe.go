package docker

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/client"
	"golang.org/x/sync/errgroup"

	"dokku/agent/engine"
)

// inspects is how many containers are inspected side by side.
const inspects = 16

// labelled selects resources with the label of app, or of any app.
func labelled(app string) filters.Args {
	if app == "" {
		return filters.NewArgs(filters.Arg("label", engine.LabelApp))
	}
	return filters.NewArgs(filters.Arg("label", engine.LabelApp+"="+app))
}

// processes selects the containers of app, or of any app. A container that was run by
// hand from an app's image has the image's labels, but no kind, and one of Dokku's belongs
// to no attempt.
func processes(app string) filters.Args {
	selected := labelled(app)
	selected.Add("label", engine.LabelContainerType)
	selected.Add("label", engine.LabelAttempt)
	return selected
}

// ofSwarm reports whether a container with these labels was made by the engine itself, for a
// task of its swarm. It has the labels of an app's process, and is its manager's to report.
func ofSwarm(labels map[string]string) bool {
	value, is := labels[labelTask]
	return is && value == ""
}

// labelTask is the label that the engine gives, without a value, to what it made for a task of
// its swarm. notTask is its value in our containers, which an image cannot take back: one
// that had the label would start processes that nobody sees, counts or ends.
const (
	labelTask = "com.docker.swarm.task"
	notTask   = "none"
)

// Observe implements Engine.
func (d *Engine) Observe(ctx context.Context, app string) (engine.Observed, error) {
	o, err := d.observe(ctx, app)
	switch {
	case err == nil:
		return o, nil
	case app == "":
		return engine.Observed{}, fmt.Errorf("cannot look at the apps' containers: %w", err)
	}
	return engine.Observed{}, fmt.Errorf("cannot look at the containers of app %s: %w", app, err)
}

func (d *Engine) observe(ctx context.Context, app string) (engine.Observed, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return engine.Observed{}, err
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	var o engine.Observed
	var all errgroup.Group
	all.Go(func() (err error) {
		o.Instances, err = d.instances(ctx, cli, app)
		return err
	})
	all.Go(func() (err error) {
		o.Networks, err = networks(ctx, cli, app)
		return err
	})
	all.Go(func() (err error) {
		o.Images, o.Taken, err = images(ctx, cli, app)
		return err
	})
	return o, d.explain(ctx, all.Wait())
}

func (d *Engine) instances(ctx context.Context, cli *client.Client, app string) ([]engine.Instance, error) {
	list, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: processes(app)})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(c container.Summary) bool { return ofSwarm(c.Labels) })
	found := make([]engine.Instance, len(list))
	var all errgroup.Group
	all.SetLimit(inspects)
	for n, c := range list {
		all.Go(func() error {
			r, err := cli.ContainerInspect(ctx, c.ID)
			if errdefs.IsNotFound(err) {
				return nil // it has gone since it was listed
			}
			if err == nil {
				found[n] = d.instance(r)
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(i engine.Instance) bool { return i.App == "" || i.Kind == "" })
	slices.SortFunc(found, func(a, b engine.Instance) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// instance converts the engine's description of a container.
func (d *Engine) instance(r container.InspectResponse) engine.Instance {
	i := engine.Instance{ID: r.ID, Name: strings.TrimPrefix(trimSlash(r.Name), d.config.NamePrefix), Image: r.Image,
		Created: engine.Moment(r.Created), Command: engine.CommandLine(append([]string{r.Path}, r.Args...))}
	if s := r.State; s != nil {
		i.Status = engine.Status(s.Status)
		i.ExitCode = s.ExitCode
		i.OOMKilled = s.OOMKilled
		i.Started = engine.Moment(s.StartedAt)
		i.Finished = engine.Moment(s.FinishedAt)
		i.Unhealthy = unhealthy(s)
	}
	if r.Config != nil {
		i.Describe(r.Config.Labels)
	}
	i.Policy, i.Restarts, i.StaleLimit = restarts(i.Policy, r)
	i.HostPort = hostPort(r.HostConfig)
	i.Limits = limits(r.HostConfig)
	i.Address = address(r.NetworkSettings, engine.NetworkName(i.App))
	return i
}

// unhealthy returns the last output of a failing HEALTHCHECK; see engine.Instance.
func unhealthy(s *container.State) string {
	if !s.Running || s.Health == nil || s.Health.Status != container.Unhealthy {
		return ""
	}
	if n := len(s.Health.Log); n > 0 {
		if lines := strings.Split(strings.TrimSpace(s.Health.Log[n-1].Output), "\n"); lines[len(lines)-1] != "" {
			return lines[len(lines)-1]
		}
	}
	return "no output"
}

func trimSlash(name string) string {
	if len(name) > 0 && name[0] == '/' {
		return name[1:]
	}
	return name
}

func hostPort(h *container.HostConfig) int {
	if h == nil {
		return 0
	}
	for _, bindings := range h.PortBindings {
		for _, b := range bindings {
			if port, err := strconv.Atoi(b.HostPort); err == nil {
				return port
			}
		}
	}
	return 0
}

// address finds the address on the app's own network: an admin may have
// connected the container to others.
func address(s *container.NetworkSettings, name string) netip.Addr {
	if s == nil || s.Networks[name] == nil {
		return netip.Addr{}
	}
	end := s.Networks[name]
	if end.IPAMConfig != nil {
		if fixed, err := netip.ParseAddr(end.IPAMConfig.IPv4Address); err == nil {
			return fixed
		}
	}
	automatic, _ := netip.ParseAddr(end.IPAddress)
	return automatic
}

func networks(ctx context.Context, cli *client.Client, app string) ([]engine.Network, error) {
	list, err := cli.NetworkList(ctx, network.ListOptions{Filters: labelled(app)})
	if err != nil {
		return nil, err
	}
	found := make([]engine.Network, 0, len(list))
	for _, n := range list {
		found = append(found, appNetwork(n))
	}
	slices.SortFunc(found, func(a, b engine.Network) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return found, nil
}

func appNetwork(n network.Summary) engine.Network {
	a := engine.Network{ID: n.ID, Name: n.Name, Overlay: n.Driver == "overlay", App: n.Labels[engine.LabelApp], Root: n.Labels[engine.LabelRoot]}
	for _, c := range n.IPAM.Config {
		subnet, err := netip.ParsePrefix(c.Subnet)
		if err != nil || !subnet.Addr().Is4() {
			continue
		}
		a.Subnet = subnet
		a.Automatic, _ = netip.ParsePrefix(c.IPRange)
		a.Gateway, _ = netip.ParseAddr(c.Gateway)
		break
	}
	return a
}

// images returns the images of app, or of all apps, and the names that images of Dokku have.
func images(ctx context.Context, cli *client.Client, app string) (found []engine.Image, taken []string, err error) {
	list, err := cli.ImageList(ctx, image.ListOptions{Filters: labelled(app)})
	if err == nil && app != "" {
		list, err = addNamed(ctx, cli, list, app)
	}
	if err != nil {
		return nil, nil, err
	}
	found = make([]engine.Image, 0, len(list))
	for _, i := range list {
		if engine.OfDokku(i.Labels, i.RepoTags) {
			taken = append(taken, i.RepoTags...)
			continue
		}
		owners := engine.Owners(i.Labels[engine.LabelApp], i.RepoTags)
		if app != "" && !slices.Contains(owners, app) {
			continue
		}
		found = append(found, engine.Image{ID: i.ID, App: cmp.Or(app, owners[0]), Tags: tags(i.RepoTags)})
	}
	slices.SortFunc(found, func(a, b engine.Image) int { return cmp.Compare(a.ID, b.ID) })
	return found, taken, nil
}

// addNamed adds the images that have a name of the app but another app's label.
// The engine lists of them only the names that were asked for.
func addNamed(ctx context.Context, cli *client.Client, list []image.Summary, app string) ([]image.Summary, error) {
	named, err := cli.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", engine.TagPrefix+app))})
	for _, i := range named {
		if slices.ContainsFunc(list, func(o image.Summary) bool { return o.ID == i.ID }) {
			continue
		}
		r, err := cli.ImageInspect(ctx, i.ID)
		if errdefs.IsNotFound(err) {
			continue // it has gone since it was listed
		}
		if err != nil {
			return nil, err
		}
		i.RepoTags = r.RepoTags
		list = append(list, i)
	}
	return list, err
}

// tags sorts an image's names and leaves out the one that old engines make up
// for an image without any.
func tags(names []string) []string {
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == "<none>:<none>" })
	slices.Sort(names)
	return names
}
