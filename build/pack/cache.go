package pack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"dokku/build/container"
)

// cacheName is the volume of the layers that buildpacks keep from one build to the next.
func cacheName(app string) string { return app + ".build.pack-cache" }

// launchName is one of the two volumes that take turns to hold the last image, as the
// lifecycle exported it.
func launchName(app string, n int) string { return fmt.Sprintf("%s.build.pack-launch-%d", app, n) }

// labelCache is the label of a cache that says for which builder image and user it is. A
// cache of another one is not used: its layers belong to another system.
const labelCache = "com.dokku.pack-builder"

func (j *job) cacheLabels() map[string]string {
	return map[string]string{labelCache: j.builder.name + " " + j.builder.user()}
}

// labelNumber is the label of a volume with an image that counts the builds: the volume of
// the later build has the higher number. Without the label it is 0. The engine's own time
// of a volume is no help: for Docker 20.10 it is the time of the last change, in seconds.
const labelNumber = "com.dokku.pack-number"

// launchCache is the pair of volumes of the last image and of the next one. The lifecycle
// takes the layers that a buildpack leaves as they are from the last image; the engine
// itself gives back no layer by its digest. Two volumes, because what is in one cannot be
// deleted without running a program in it, and because a killed build leaves the last
// image whole.
type launchCache struct {
	client     *client.Client
	labels     map[string]string // of the app
	last, next string
	number     int // of last
}

// findLaunchCache finds out which of the two volumes has the last image. If both exist, a
// build that did not end has made the later one, which is removed.
func (j *job) findLaunchCache(ctx context.Context) (launchCache, error) {
	c := launchCache{client: j.client, labels: j.Labels, last: launchName(j.App, 1), next: launchName(j.App, 2)}
	first, one, err := c.numberOf(ctx, c.last)
	if err != nil {
		return c, err
	}
	second, two, err := c.numberOf(ctx, c.next)
	if err != nil {
		return c, err
	}
	switch {
	case one && two && first == second: // both older than the numbers: either may be incomplete
		if err := c.remove(ctx, c.last); err != nil {
			return c, err
		}
	case one && (!two || first < second):
		c.number = first
	case two:
		c.last, c.next, c.number = c.next, c.last, second
	}
	return c, c.remove(ctx, c.next)
}

// numberOf returns the number of a volume, and whether it exists.
func (c launchCache) numberOf(ctx context.Context, name string) (n int, exists bool, err error) {
	v, err := c.client.VolumeInspect(ctx, name)
	if errdefs.IsNotFound(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("cannot look up the cache %s: %w", name, err)
	}
	n, _ = strconv.Atoi(v.Labels[labelNumber])
	return n, true, nil
}

// mounts are the two volumes at the places of the images in the layout.
func (c launchCache) mounts(labels map[string]string) []container.Cache {
	next := maps.Clone(labels)
	next[labelNumber] = strconv.Itoa(c.number + 1)
	if c.number > 0 {
		labels = maps.Clone(labels)
		labels[labelNumber] = strconv.Itoa(c.number)
	}
	return []container.Cache{
		{Name: c.last, Target: layoutPath(previousImage), Labels: labels},
		{Name: c.next, Target: layoutPath(outputImage), Labels: next},
	}
}

// settle keeps the next image instead of the last one, or the last one if the build
// failed. It works also when the build's context is done.
func (c launchCache) settle(built bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if built {
		return c.remove(ctx, c.last)
	}
	return c.remove(ctx, c.next)
}

// remove removes a volume if its labels make it a cache of the app. Of another one,
// package container says what to do with it.
func (c launchCache) remove(ctx context.Context, name string) error {
	v, err := c.client.VolumeInspect(ctx, name)
	if err == nil && c.owns(v.Labels) {
		err = c.client.VolumeRemove(ctx, name, false)
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return errors.New("cannot remove the cache " + name + ": " + err.Error())
	}
	return nil
}

// owns reports whether the labels are those of a cache of the app.
func (c launchCache) owns(labels map[string]string) bool {
	for key, value := range c.labels {
		if labels[key] != value {
			return false
		}
	}
	_, cache := labels[labelCache]
	return cache
}
