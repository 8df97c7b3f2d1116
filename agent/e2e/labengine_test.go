package e2e

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"

	"dokku/agent/engine"
)

// resources lists the containers, networks and images that carry the app's
// label, a line each, but for containers that only finish what they have.
func (a *app) resources() string {
	a.t.Helper()
	var lines []string
	for _, i := range a.serving() {
		lines = append(lines, "container "+i.ID+" "+i.Names[0]+" "+i.State)
	}
	networks, err := a.tools.docker.NetworkList(a.t.Context(), network.ListOptions{Filters: a.label()})
	must(a.t, err)
	for _, n := range networks {
		lines = append(lines, "network "+n.ID)
	}
	images, err := a.tools.docker.ImageList(a.t.Context(), image.ListOptions{Filters: a.label()})
	must(a.t, err)
	for _, i := range images {
		lines = append(lines, "image "+i.ID)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (a *app) label() filters.Args {
	return filters.NewArgs(filters.Arg("label", engine.LabelApp+"="+a.name))
}

// containers lists all containers of the app, by name.
func (a *app) containers() []container.Summary {
	a.t.Helper()
	list, err := a.tools.docker.ContainerList(a.t.Context(), container.ListOptions{All: true, Filters: a.label()})
	must(a.t, err)
	slices.SortFunc(list, func(x, y container.Summary) int { return strings.Compare(x.Names[0], y.Names[0]) })
	return list
}

// serving are the containers but for those that only finish what they have.
func (a *app) serving() []container.Summary {
	a.t.Helper()
	if !exists(a.dir()) {
		return a.containers()
	}
	retiring := a.state().Retiring
	return slices.DeleteFunc(a.containers(), func(c container.Summary) bool {
		_, retires := retiring[c.ID]
		return retires
	})
}

// instances returns the ids of the running containers by their process: "web.1".
// Those that retire have another name.
func (a *app) instances() map[string]string {
	a.t.Helper()
	ids := map[string]string{}
	for _, c := range a.containers() {
		if dyno := c.Labels[engine.LabelDyno]; c.State == "running" && c.Names[0] == "/"+a.name+"."+dyno {
			ids[dyno] = c.ID
		}
	}
	return ids
}

// runs fails the test unless exactly these processes run, beside those that
// only finish what they have.
func (a *app) runs(processes ...string) {
	a.t.Helper()
	var have []string
	for _, c := range a.serving() {
		have = append(have, strings.TrimPrefix(c.Names[0], "/"+a.name+".")+" "+c.State)
	}
	var want []string
	for _, p := range processes {
		want = append(want, p+" running")
	}
	slices.Sort(want)
	if !slices.Equal(have, want) {
		a.t.Fatalf("these containers exist: %q, want %q", have, want)
	}
}

// rests waits until nothing is left of older releases but their kept images.
func (a *app) rests() {
	a.t.Helper()
	waitFor(a.t, "no process retires", func() bool {
		st := a.state()
		return len(st.Retiring) == 0 && st.Staged == nil && len(a.instances()) == len(a.containers()) && a.keepsImages()
	})
}

// keepsImages reports whether there are no more images than kept releases.
func (a *app) keepsImages() bool {
	a.t.Helper()
	images, err := a.tools.docker.ImageList(a.t.Context(), image.ListOptions{Filters: a.label()})
	must(a.t, err)
	releases, err := filepath.Glob(a.dir("dokku", "releases", "*.json"))
	must(a.t, err)
	return len(images) <= len(releases)
}

// removeAll removes what is left of an app in the engine.
func (l *lab) removeAll(name string) {
	a := &app{lab: l, name: name}
	ctx, docker := context.Background(), l.tools.docker
	list, _ := docker.ContainerList(ctx, container.ListOptions{All: true, Filters: a.label()})
	for _, c := range list {
		docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true})
	}
	images, _ := docker.ImageList(ctx, image.ListOptions{Filters: a.label()})
	for _, i := range images {
		docker.ImageRemove(ctx, i.ID, image.RemoveOptions{Force: true})
	}
	networks, _ := docker.NetworkList(ctx, network.ListOptions{Filters: a.label()})
	for _, n := range networks {
		docker.NetworkRemove(ctx, n.ID)
	}
}

// left are the containers and networks that carry the app's label, and the
// images that are called by its name; what they were built as stays in them.
func (a *app) left() string {
	a.t.Helper()
	var lines []string
	for line := range strings.SplitSeq(a.resources(), "\n") {
		if line != "" && !strings.HasPrefix(line, "image ") {
			lines = append(lines, line)
		}
	}
	named, err := a.tools.docker.ImageList(a.t.Context(), image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "dokku/"+a.name))})
	must(a.t, err)
	for _, i := range named {
		lines = append(lines, "image "+i.ID)
	}
	return strings.Join(lines, "\n")
}

// image is the id of the image that a process runs.
func (a *app) image(dyno string) string {
	a.t.Helper()
	i, err := a.tools.docker.ContainerInspect(a.t.Context(), a.instances()[dyno])
	must(a.t, err)
	return i.Image
}

// stopAll ends all processes as a reboot does: behind everybody's back.
func (a *app) stopAll() {
	a.t.Helper()
	for _, id := range a.instances() {
		must(a.t, a.tools.docker.ContainerKill(a.t.Context(), id, "TERM"))
	}
	waitFor(a.t, "all processes have ended", func() bool { return len(a.instances()) == 0 })
}
