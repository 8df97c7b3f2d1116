package pack

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/container"
	"dokku/build/source"
)

// The folders of a build. The first three are shared by all phases, and buildpacks write
// to them. The others are of the phases alone that run our lifecycle.
const (
	dirLayers    = "/layers"
	dirApp       = "/workspace"
	dirPlatform  = "/platform"
	dirCache     = "/cache"
	dirLayout    = "/layout"
	dirTrusted   = "/trusted"
	fileAnalyzed = "/analyzed.toml"
	fileOrder    = "order.toml"
)

// The names of images inside the layout. They lead nowhere else: what is built is a
// constant of the same content, whatever the app is called.
const (
	outputImage   = "dokku/app"
	previousImage = "dokku/previous"
	runImageName  = "dokku/run"
)

// layoutPath is the folder of an image in the layout, by the specification's rules.
func layoutPath(image string) string { return dirLayout + "/index.docker.io/" + image }

// job is one build.
type job struct {
	build.Request
	project   project
	tree      *source.Tree
	engine    *container.Engine
	client    *client.Client
	builder   builderImage
	run       foundImage
	lifecycle string // image id
	order     []byte // order.toml; nil: the builder's
	out       *reporter

	// shared has the folders that all phases see, private those of our lifecycle.
	shared, private *container.Container
	launch          launchCache
}

// builtImage is the result of a job.
type builtImage struct {
	id       string
	procfile []byte
}

// failed makes an Error of what is one for the pusher, and leaves others as they are.
func (j *job) failed(err error) error {
	var own *build.Error
	if errors.As(err, &own) {
		return err
	}
	return fmt.Errorf("cannot build %s: %w", j.Commit.Short, err)
}

// build runs the phases and loads their image.
func (j *job) build(ctx context.Context) (image builtImage, err error) {
	if j.launch, err = j.findLaunchCache(ctx); err != nil {
		return image, err
	}
	defer func() { err = errors.Join(err, j.launch.settle(err == nil)) }()
	remove, err := j.folders(ctx)
	defer func() { err = errors.Join(err, remove()) }()
	if err != nil {
		return image, err
	}
	if err := j.fill(ctx); err != nil {
		return image, err
	}
	for _, phase := range []func(context.Context) error{j.analyze, j.detect, j.restore, j.compile, j.export} {
		if err := phase(ctx); err != nil {
			return image, err
		}
	}
	return j.load(ctx)
}

// folders makes the two containers that hold the build's folders. They never run.
// remove removes those that were made.
func (j *job) folders(ctx context.Context) (remove func() error, err error) {
	remove = func() error { return errors.Join(removeContainer(j.shared), removeContainer(j.private)) }
	j.shared, err = j.engine.Create(ctx, container.Spec{Name: j.App + ".build.pack-files", Image: j.lifecycle, Network: "none",
		Command: []string{"/cnb/lifecycle/lifecycle"}, Labels: j.Labels, Scratch: []string{dirLayers, dirApp, dirPlatform}})
	if err != nil {
		return remove, err
	}
	labels := j.cacheLabels()
	j.private, err = j.engine.Create(ctx, container.Spec{Name: j.App + ".build.pack-cache", Image: j.lifecycle, Network: "none",
		Command: []string{"/cnb/lifecycle/lifecycle"}, Labels: j.Labels, Scratch: []string{dirTrusted, dirLayout},
		Caches: append(j.launch.mounts(labels), container.Cache{Name: cacheName(j.App), Target: dirCache, Labels: labels})})
	return remove, err
}

func removeContainer(c *container.Container) error {
	if c == nil {
		return nil
	}
	return c.Remove()
}

// fill writes the app's files, the environment and the run image into the folders.
func (j *job) fill(ctx context.Context) error {
	j.out.sending()
	owner := source.Owner{UID: j.builder.uid, GID: j.builder.gid, ModTime: fileTime}
	if err := j.shared.CopyIn(ctx, "/", func(w *tar.Writer) error { return j.writeShared(w) }); err != nil {
		return err
	}
	if err := j.shared.CopyIn(ctx, dirApp, func(w *tar.Writer) error { return j.Source.Archive(ctx, j.tree, owner, w) }); err != nil {
		return err
	}
	if err := j.private.CopyIn(ctx, "/", func(w *tar.Writer) error { return j.writePrivate(w) }); err != nil {
		return err
	}
	j.out.sent()
	return nil
}

// writeShared writes the folders that buildpacks see. A variable of the app wins over one
// of project.toml.
func (j *job) writeShared(w *tar.Writer) error {
	for _, dir := range []string{dirLayers, dirApp, dirPlatform, dirPlatform + "/env"} {
		if err := j.put(w, tar.Header{Name: dir[1:] + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil); err != nil {
			return err
		}
	}
	env := maps.Clone(j.project.env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, j.Env)
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if !variableName.MatchString(name) {
			continue // a shell could not read it either
		}
		if err := j.put(w, tar.Header{Name: dirPlatform[1:] + "/env/" + name, Mode: 0o600}, []byte(env[name])); err != nil {
			return err
		}
	}
	if j.order == nil {
		return nil
	}
	return j.put(w, tar.Header{Name: dirPlatform[1:] + "/" + fileOrder, Mode: 0o644}, j.order)
}

// writePrivate writes the folders of our lifecycle, with the run image.
func (j *job) writePrivate(w *tar.Writer) error {
	dirs := []string{dirTrusted, dirCache, dirLayout, dirLayout + "/index.docker.io", dirLayout + "/index.docker.io/dokku",
		layoutPath(outputImage), layoutPath(previousImage)}
	for _, dir := range dirs {
		if err := j.put(w, tar.Header{Name: dir[1:] + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil); err != nil {
			return err
		}
	}
	return writeSparse(layoutPath(runImageName)[1:]+"/latest", j.run, func(h tar.Header, content []byte) error { return j.put(w, h, content) })
}

// put writes an entry that belongs to the builder's user.
func (j *job) put(w *tar.Writer, h tar.Header, content []byte) error {
	h.Uid, h.Gid = j.builder.uid, j.builder.gid
	return put(w, h, content)
}
