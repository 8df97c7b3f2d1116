package pack

import (
	"archive/tar"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildtest"
	"dokku/build/container"
)

// cacheLab is a job of an app that has caches on the real engine.
func cacheLab(t *testing.T) *job {
	t.Helper()
	cli := buildtest.Engine(t)
	app := fmt.Sprintf("pack-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	j := &job{Request: build.Request{App: app, Labels: map[string]string{buildtest.LabelApp: app}}, client: cli,
		engine: container.New(container.Config{Client: func() *client.Client { return cli }}), lifecycle: buildtest.BaseImage(t, cli, nil)}
	left := buildtest.Resources{T: t, Client: cli, App: app}
	t.Cleanup(func() { left.Remove(2) })
	return j
}

// begin does with the volumes of the images what a build does.
func begin(t *testing.T, j *job) launchCache {
	t.Helper()
	c, err := j.findLaunchCache(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j.launch = c
	remove, err := j.folders(t.Context())
	if err == nil {
		err = j.private.CopyIn(t.Context(), "/", func(w *tar.Writer) error { return j.writePrivate(w) })
	}
	if err := remove(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// volumes are the names of the app's volumes, sorted.
func volumes(t *testing.T, j *job) []string {
	t.Helper()
	return buildtest.Resources{T: t, Client: j.client, App: j.App}.Volumes()
}

// TestLaunchCache: the next build finds the image of the last one that has ended, also after
// builds that were killed, and leaves one volume.
func TestLaunchCache(t *testing.T) {
	j := cacheLab(t)
	begin(t, j) // killed: there is no image yet
	whole := ""
	for n := range 4 {
		c := begin(t, j)
		if n > 0 && c.last != whole {
			t.Errorf("build %d takes the last image from %s, want %s", n, c.last, whole)
		}
		if c := begin(t, j); n > 0 && c.last != whole { // the one before was killed
			t.Errorf("after a kill, build %d takes the last image from %s, want %s", n, c.last, whole)
		}
		if err := j.launch.settle(false); err != nil { // one that failed
			t.Fatal(err)
		}
		if left := volumes(t, j); len(left) != 2 {
			t.Errorf("after a failed build, the volumes are %q", left)
		}
		c = begin(t, j)
		if err := c.settle(true); err != nil {
			t.Fatal(err)
		}
		whole = c.next
		if left := volumes(t, j); len(left) != 2 || left[1] != whole {
			t.Errorf("the volumes are %q, want the cache and %s", left, whole)
		}
	}
}

// TestLaunchCacheOfBefore: of two volumes without numbers, either may be incomplete.
func TestLaunchCacheOfBefore(t *testing.T) {
	j := cacheLab(t)
	made := j.cacheLabels()
	s := container.Spec{Name: j.App + ".build.test", Image: j.lifecycle, Command: []string{"true"}, Labels: j.Labels,
		Caches: []container.Cache{{Name: launchName(j.App, 1), Target: "/1", Labels: made}, {Name: launchName(j.App, 2), Target: "/2", Labels: made}}}
	old, err := j.engine.Create(t.Context(), s)
	if err == nil {
		err = old.Remove()
	}
	if err != nil {
		t.Fatal(err)
	}
	if c, err := j.findLaunchCache(t.Context()); err != nil || c.number != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if left := volumes(t, j); len(left) != 0 {
		t.Errorf("the volumes are %q", left)
	}
}
