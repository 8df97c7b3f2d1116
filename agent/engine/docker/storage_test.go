package docker_test

import (
	"context"
	"os"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// TestChownLeavesNothing: the next Chown removes the leftovers of a killed one and its own.
func TestChownLeavesNothing(t *testing.T) {
	d := newDocker(t)
	ctx, dir := context.Background(), t.TempDir()
	labels := map[string]string{"com.dokku.storage-root": dir}
	_, err := d.Client().ContainerCreate(ctx, &container.Config{Image: busybox(t, d, "", nil), Cmd: []string{"none"}, Labels: labels}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Chown(ctx, dir, "data", os.Getuid()); err != nil {
		t.Error(err)
	}
	if err := d.Chown(ctx, dir+"/missing", "data", os.Getuid()); err == nil {
		t.Error("a folder in a folder that is missing is given away")
	}
	left, err := d.Client().ContainerList(ctx, container.ListOptions{All: true,
		Filters: filters.NewArgs(filters.Arg("label", "com.dokku.storage-root="+dir))})
	if err != nil || len(left) > 0 {
		t.Errorf("%v are left, error %v", left, err)
	}
}
