package buildtest

import (
	"context"
	"slices"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// LabelApp is package engine's label of what belongs to an app.
const LabelApp = "com.dokku.app-name"

// Resources are what an app of a test has in the engine.
type Resources struct {
	T      testing.TB
	Client *client.Client
	App    string
}

func (r Resources) selected() filters.Args {
	return filters.NewArgs(filters.Arg("label", LabelApp+"="+r.App))
}

// Containers returns the ids of the app's containers.
func (r Resources) Containers() (ids []string) {
	r.T.Helper()
	list, err := r.Client.ContainerList(context.Background(), container.ListOptions{All: true, Filters: r.selected()})
	if err != nil {
		r.T.Fatal(err)
	}
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids
}

// Volumes returns the names of the app's volumes, sorted.
func (r Resources) Volumes() (names []string) {
	r.T.Helper()
	list, err := r.Client.VolumeList(context.Background(), volume.ListOptions{Filters: r.selected()})
	if err != nil {
		r.T.Fatal(err)
	}
	for _, v := range list.Volumes {
		names = append(names, v.Name)
	}
	slices.Sort(names) // the engine has no order
	return names
}

// Remove removes everything of the app. It fails the test if a container is left, or more
// volumes than the caches that a builder keeps.
func (r Resources) Remove(caches int) {
	r.T.Helper()
	ctx := context.Background()
	for _, id := range r.Containers() {
		r.T.Errorf("container %s is left", id)
		r.Client.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}
	images, err := r.Client.ImageList(ctx, image.ListOptions{Filters: r.selected()})
	if err != nil {
		r.T.Fatal(err)
	}
	for _, i := range images {
		if _, err := r.Client.ImageRemove(ctx, i.ID, image.RemoveOptions{Force: true}); err != nil {
			r.T.Error(err)
		}
	}
	volumes := r.Volumes()
	if len(volumes) > caches {
		r.T.Errorf("volumes are left: %q", volumes)
	}
	for _, v := range volumes {
		if err := r.Client.VolumeRemove(ctx, v, false); err != nil {
			r.T.Error(err)
		}
	}
}
