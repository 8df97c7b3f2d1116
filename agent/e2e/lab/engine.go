package lab

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"dokku/agent/engine"
)

// Resources lists the containers, networks and images with the app's label, a line
// each, without the containers that retire.
func (a *App) Resources() string {
	a.Lab.T.Helper()
	var lines []string
	for _, i := range a.Serving() {
		lines = append(lines, "container "+i.ID+" "+i.Names[0]+" "+i.State)
	}
	networks, err := a.Lab.Tools.Docker.NetworkList(a.Lab.T.Context(), network.ListOptions{Filters: a.Label()})
	Must(a.Lab.T, err)
	for _, n := range networks {
		lines = append(lines, "network "+n.ID)
	}
	images, err := a.Lab.Tools.Docker.ImageList(a.Lab.T.Context(), image.ListOptions{Filters: a.Label()})
	Must(a.Lab.T, err)
	for _, i := range images {
		lines = append(lines, "image "+i.ID)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// Label is the engine's filter for the app's resources.
func (a *App) Label() filters.Args {
	return filters.NewArgs(filters.Arg("label", engine.LabelApp+"="+a.Name))
}

// Containers lists all containers of the app, by name.
func (a *App) Containers() []container.Summary {
	a.Lab.T.Helper()
	list, err := a.Lab.Tools.Docker.ContainerList(a.Lab.T.Context(), container.ListOptions{All: true, Filters: a.Label()})
	Must(a.Lab.T, err)
	slices.SortFunc(list, func(x, y container.Summary) int { return strings.Compare(x.Names[0], y.Names[0]) })
	return list
}

// Serving lists the containers without those that retire.
func (a *App) Serving() []container.Summary {
	a.Lab.T.Helper()
	if !Exists(a.Dir()) {
		return a.Containers()
	}
	retiring := a.State().Retiring
	return slices.DeleteFunc(a.Containers(), func(c container.Summary) bool {
		_, retires := retiring[c.ID]
		return retires
	})
}

// Instances returns the ids of the running containers by their process, "web.1". A
// container that retires has another name and is not among them.
func (a *App) Instances() map[string]string {
	a.Lab.T.Helper()
	ids := map[string]string{}
	for _, c := range a.Containers() {
		if dyno := c.Labels[engine.LabelDyno]; c.State == "running" && c.Names[0] == "/"+a.Name+"."+dyno {
			ids[dyno] = c.ID
		}
	}
	return ids
}

// Runs fails the test unless exactly these processes run, beside those that retire.
func (a *App) Runs(processes ...string) {
	a.Lab.T.Helper()
	var have []string
	for _, c := range a.Serving() {
		have = append(have, strings.TrimPrefix(c.Names[0], "/"+a.Name+".")+" "+c.State)
	}
	var want []string
	for _, p := range processes {
		want = append(want, p+" running")
	}
	slices.Sort(want)
	if !slices.Equal(have, want) {
		a.Lab.T.Fatalf("these containers exist: %q, want %q", have, want)
	}
}

// Rests waits until only the kept images are left of older releases.
func (a *App) Rests() {
	a.Lab.T.Helper()
	WaitFor(a.Lab.T, "no process retires", func() bool {
		st := a.State()
		return len(st.Retiring) == 0 && st.Staged == nil && len(a.Instances()) == len(a.Containers()) && a.keepsImages()
	})
}

// keepsImages reports whether there are no more images than kept releases.
func (a *App) keepsImages() bool {
	a.Lab.T.Helper()
	images, err := a.Lab.Tools.Docker.ImageList(a.Lab.T.Context(), image.ListOptions{Filters: a.Label()})
	Must(a.Lab.T, err)
	releases, err := filepath.Glob(a.Dir("dokku", "releases", "*.json"))
	Must(a.Lab.T, err)
	return len(images) <= len(releases)
}

// RemoveAll removes all resources of an app from the engine.
func (l *Lab) RemoveAll(name string) {
	a := &App{Lab: l, Name: name}
	ctx, docker := context.Background(), l.Tools.Docker
	list, _ := docker.ContainerList(ctx, container.ListOptions{All: true, Filters: a.Label()})
	for _, c := range list {
		docker.ContainerRemove(ctx, c.ID, container.RemoveOptions{Force: true})
	}
	images, _ := docker.ImageList(ctx, image.ListOptions{Filters: a.Label()})
	for _, i := range images {
		docker.ImageRemove(ctx, i.ID, image.RemoveOptions{Force: true})
	}
	networks, _ := docker.NetworkList(ctx, network.ListOptions{Filters: a.Label()})
	for _, n := range networks {
		docker.NetworkRemove(ctx, n.ID)
	}
	caches, _ := docker.VolumeList(ctx, volume.ListOptions{Filters: a.Label()})
	for _, v := range caches.Volumes {
		docker.VolumeRemove(ctx, v.Name, true)
	}
}

// Left lists the containers and networks with the app's label, and the images with its
// name. Images keep the label of a former name, so their label does not count.
func (a *App) Left() string {
	a.Lab.T.Helper()
	var lines []string
	for line := range strings.SplitSeq(a.Resources(), "\n") {
		if line != "" && !strings.HasPrefix(line, "image ") {
			lines = append(lines, line)
		}
	}
	named, err := a.Lab.Tools.Docker.ImageList(a.Lab.T.Context(), image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "dokku/"+a.Name))})
	Must(a.Lab.T, err)
	for _, i := range named {
		lines = append(lines, "image "+i.ID)
	}
	return strings.Join(lines, "\n")
}

// Image is the id of the image that a process runs.
func (a *App) Image(dyno string) string {
	a.Lab.T.Helper()
	i, err := a.Lab.Tools.Docker.ContainerInspect(a.Lab.T.Context(), a.Instances()[dyno])
	Must(a.Lab.T, err)
	return i.Image
}

// StopAll ends all processes through the engine, as a reboot does.
func (a *App) StopAll() {
	a.Lab.T.Helper()
	for _, id := range a.Instances() {
		Must(a.Lab.T, a.Lab.Tools.Docker.ContainerKill(a.Lab.T.Context(), id, "TERM"))
	}
	WaitFor(a.Lab.T, "all processes have ended", func() bool { return len(a.Instances()) == 0 })
}
