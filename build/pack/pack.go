package pack

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/container"
	"dokku/build/source"
)

// DefaultImage is the builder image of an app without a setting, as in Dokku.
const DefaultImage = "heroku/builder:24"

// DefaultLifecycle is the folder of the lifecycle that install.sh builds.
const DefaultLifecycle = "/usr/local/lib/dokku/lifecycle"

// Config says which engine builds, and with what.
type Config struct {
	// Client returns the client of an engine of API 1.41 or later. It is asked once
	// for each build: a client is replaced when its engine comes back upgraded.
	Client func() *client.Client
	// Lifecycle is the folder that has the programs lifecycle and launcher. "":
	// DefaultLifecycle.
	Lifecycle string
	// Allowed are the builder images that a project.toml may name, beside DefaultImage,
	// as patterns of path.Match: "paketobuildpacks/*".
	Allowed []string
}

// Builder builds with Cloud Native Buildpacks.
type Builder struct {
	config Config
	engine *container.Engine
}

var _ build.Inspector = (*Builder)(nil)

// New returns a Builder whose phases run in containers of e. It does not call the engine.
func New(c Config, e *container.Engine) *Builder {
	c.Lifecycle = cmp.Or(c.Lifecycle, DefaultLifecycle)
	return &Builder{c, e}
}

// Name is "pack".
func (*Builder) Name() string { return build.Pack }

// Detect looks for project.toml. If a setting selects the builder, it takes every
// revision: which of the buildpacks fit is known only once they run.
func (b *Builder) Detect(_ context.Context, r build.Request) (reason string, ok bool, err error) {
	p, err := readProject(r)
	if err != nil {
		return "", false, err
	}
	if !p.found && r.Selected != build.Pack {
		return "", false, nil
	}
	if stack(r) == "" && p.builder != "" && !b.allowed(p.builder) {
		return "", false, &build.FileError{File: p.path, Err: fmt.Errorf("cannot build %s: %s names the builder image %s, which this server does not allow; "+
			"remove that line, or allow it there: dokku builder-pack:set --global allowed-builders %s", r.Commit.Short, p.path, p.builder, p.builder)}
	}
	if err := b.installed(); err != nil && !r.FilesOnly {
		return "", false, fmt.Errorf("cannot build %s: %w", r.Commit.Short, err)
	}
	if p.found {
		reason = p.path
	}
	return reason, true, nil
}

// stack is the builder image of the settings. It wins over the revision's own.
func stack(r build.Request) string { return cmp.Or(r.PackImage, r.Stack) }

// Inspect refuses a project.toml that leaves no file for the build.
func (b *Builder) Inspect(ctx context.Context, r build.Request) (ports []int, err error) {
	_, _, err = inspect(ctx, r)
	return nil, err
}

// inspect returns the revision's project.toml and the files that the buildpacks get.
func inspect(ctx context.Context, r build.Request) (project, *source.Tree, error) {
	p, err := readProject(r)
	if err != nil {
		return p, nil, err
	}
	tree, err := r.Source.Tree(ctx, r.Commit, source.DefaultLimits)
	if err != nil {
		return p, nil, err
	}
	tree, err = p.files(tree)
	return p, tree, err
}

// Build runs the phases of the lifecycle.
func (b *Builder) Build(ctx context.Context, r build.Request) (build.Result, error) {
	start := time.Now()
	p, tree, err := inspect(ctx, r)
	if err != nil {
		return build.Result{}, err
	}
	j := &job{Request: r, project: p, tree: tree, engine: b.engine, client: b.config.Client(), out: newReporter(ctx, r, tree)}
	if err := b.prepare(ctx, j); err != nil {
		return build.Result{}, j.failed(err)
	}
	image, err := j.build(ctx)
	result := build.Result{Header: j.out.header, ImageID: image.id, Duration: time.Since(start), Procfile: image.procfile}
	if err != nil {
		return result, j.failed(err)
	}
	return result, nil
}

// prepare looks up the images of a build.
func (b *Builder) prepare(ctx context.Context, j *job) (err error) {
	name := cmp.Or(stack(j.Request), j.project.builder, DefaultImage)
	if j.builder, err = b.builderImage(ctx, name, j.Registries, j.out.line); err != nil {
		return err
	}
	if j.order, err = j.project.order(j.builder, j.Buildpacks); err != nil {
		return err
	}
	run := cmp.Or(j.RunImage, j.builder.run)
	if run == "" {
		return fmt.Errorf("the builder image %s names no run image; name one: dokku builder-pack:set %s run-image IMAGE", name, j.App)
	}
	if j.run, err = b.runImage(ctx, run, j.Registries, j.out.line); err != nil {
		return err
	}
	if j.run.platform() != j.builder.platform() {
		return fmt.Errorf("the run image %s is for %s, but the builder image %s for %s; choose another one: dokku builder-pack:set %s run-image IMAGE",
			run, j.run.platform(), name, j.builder.platform(), j.App)
	}
	j.lifecycle, err = b.lifecycleImage(ctx)
	return err
}
