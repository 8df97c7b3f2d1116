package pack

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildtest"
)

// TestFormerLifecycles: the image of a new lifecycle takes the place of former ones, but not
// of one that has a container.
func TestFormerLifecycles(t *testing.T) {
	// On an engine of its own: on another one these images are those of other tests.
	_, cli := buildtest.OwnEngine(t)
	ctx := context.Background()
	lifecycle := func(content string) string {
		t.Helper()
		dir := t.TempDir()
		for _, name := range programs {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content+name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		id, err := New(Config{Client: func() *client.Client { return cli }, Lifecycle: dir}, nil).lifecycleImage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	exists := func(id string) bool {
		_, err := cli.ImageInspect(ctx, id)
		return err == nil
	}
	var empty bytes.Buffer
	answer, err := cli.ImageImport(ctx, image.ImportSource{Source: &empty, SourceName: "-"}, lifecycleName+":mine", image.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	answer.Close()
	one := lifecycle("one")
	made, err := cli.ContainerCreate(ctx, &container.Config{Image: one, Cmd: []string{"/cnb/lifecycle/lifecycle"}}, &container.HostConfig{NetworkMode: "none"}, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	two := lifecycle("two")
	if !exists(one) || !exists(two) {
		t.Error("the image of a running build is gone")
	}
	if err := cli.ContainerRemove(ctx, made.ID, container.RemoveOptions{}); err != nil {
		t.Fatal(err)
	}
	if again := lifecycle("two"); again != two || !exists(one) {
		t.Error("what is there already is made once more")
	}
	three := lifecycle("three")
	if exists(one) || exists(two) || !exists(three) {
		t.Errorf("after an upgrade there are one %t, two %t, three %t", exists(one), exists(two), exists(three))
	}
	if !exists(lifecycleName + ":mine") {
		t.Error("an image of somebody else is gone")
	}
}

// TestLaunchCacheOfOthers: a volume that has the name of a cache and not its labels stays.
func TestLaunchCacheOfOthers(t *testing.T) {
	cli := buildtest.Engine(t)
	app := fmt.Sprintf("pack-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	own := map[string]string{buildtest.LabelApp: app, labelCache: "builder 1000:1000"}
	for _, test := range []struct {
		labels map[string]string
		stays  bool
	}{
		{own, false},
		{map[string]string{buildtest.LabelApp: app}, true},
		{map[string]string{buildtest.LabelApp: "other", labelCache: "builder 1000:1000"}, true},
		{nil, true},
	} {
		// The older one is the last image, the younger one of a build that did not end.
		names := []string{launchName(app, 1), launchName(app, 2)}
		for _, name := range names {
			if _, err := cli.VolumeCreate(t.Context(), volume.CreateOptions{Name: name, Labels: test.labels}); err != nil {
				t.Fatal(err)
			}
		}
		j := &job{Request: build.Request{App: app, Labels: map[string]string{buildtest.LabelApp: app}}, client: cli}
		c, err := j.findLaunchCache(t.Context())
		if err != nil {
			t.Error(err)
		}
		if err := c.settle(true); err != nil {
			t.Error(err)
		}
		stays := func(name string) bool {
			_, err := cli.VolumeInspect(t.Context(), name)
			return err == nil
		}
		if left := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !stays(n) }); test.stays != (len(left) == 2) || !test.stays && len(left) > 0 {
			t.Errorf("of volumes with the labels %v, %q are left", test.labels, left)
		}
		for _, name := range names {
			cli.VolumeRemove(t.Context(), name, true)
		}
	}
}
