package railpack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"

	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildkit"
	"dokku/build/container"
)

const (
	// minAPI is the API version of Docker Engine 23, whose BuildKit can merge layers.
	minAPI = "1.42"
	// defaultImage is Docker's own image of Debian with curl, and so with certificates.
	defaultImage = "buildpack-deps:stable-curl"
	frontend     = "ghcr.io/railwayapp/railpack-frontend"
	program      = "railpack"
	fileConfig   = "railpack.json"
	maxConfig    = 1 << 20
)

// Config says what builds.
type Config struct {
	// Client returns the client of an engine.
	Client func() *client.Client
	// Steps run the containers of the build.
	Steps *container.Engine
	// Program is the path of railpack's tool; "": the one in PATH.
	Program string
	// Daemon is the path of the socket of the server's own BuildKit: see buildkit.Config.
	Daemon string
	// Image is the image in which the tool runs; "": a small Debian with certificates.
	Image string
}

// Builder builds with railpack.
type Builder struct {
	config Config
	// solve has the frontend build a plan.
	solve func(ctx context.Context, r build.Request, f buildkit.Frontend) (build.Result, error)
}

var _ build.Builder = (*Builder)(nil)

// New returns a Builder. It does not call the engine.
func New(c Config) *Builder {
	c.Image = cmp.Or(c.Image, defaultImage)
	return &Builder{c, buildkit.New(buildkit.Config{Client: c.Client, Daemon: c.Daemon}).SolveFrontend}
}

// Name is "railpack".
func (*Builder) Name() string { return build.Railpack }

// Detect looks for railpack.json. A server without railpack, or with an old engine, says
// so.
func (b *Builder) Detect(ctx context.Context, r build.Request) (reason string, ok bool, err error) {
	_, found, err := r.Source.Read(r.Commit, configPath(r), maxConfig)
	if err != nil || !found && r.Selected != build.Railpack {
		return "", false, err
	}
	if found {
		reason = configPath(r)
	}
	if r.FilesOnly {
		return reason, true, nil
	}
	if _, err := b.program(); err != nil {
		return "", false, fmt.Errorf("cannot build %s with railpack: %w", r.Commit.Short, err)
	}
	if err := b.engineFits(ctx); err != nil {
		return "", false, fmt.Errorf("cannot build %s with railpack: %w", r.Commit.Short, err)
	}
	return reason, true, nil
}

// configPath returns the path of the revision's railpack.json.
func configPath(r build.Request) string { return cmp.Or(r.RailpackJSON, fileConfig) }

// program returns the path of railpack's tool.
func (b *Builder) program() (string, error) {
	path, err := exec.LookPath(cmp.Or(b.config.Program, program))
	if err != nil {
		return "", errors.New("this server has no railpack; install it there (https://railpack.com/installation), so that user dokku finds it in PATH")
	}
	return path, nil
}

// engineFits returns an error if the engine's BuildKit is too old for the frontend.
func (b *Builder) engineFits(ctx context.Context) error {
	v, err := b.config.Client().ServerVersion(ctx)
	if err != nil {
		return fmt.Errorf("cannot ask the Docker Engine for its version: %w", err)
	}
	if versions.LessThan(v.APIVersion, minAPI) {
		return fmt.Errorf("it needs Docker Engine 23 or later, and this server has %s; upgrade docker, or choose another builder", v.Version)
	}
	return nil
}

// Build makes a plan and has the frontend build it.
func (b *Builder) Build(ctx context.Context, r build.Request) (build.Result, error) {
	path, err := b.program()
	if err != nil {
		return build.Result{}, fmt.Errorf("cannot build %s with railpack: %w", r.Commit.Short, err)
	}
	p, err := b.prepare(ctx, r, path)
	if err != nil {
		return build.Result{}, err
	}
	q := r
	q.Secrets = maps.Clone(r.Env)
	q.BuildArgs = map[string]string{"secrets-hash": hash(r.Env), "cache-key": r.App}
	result, err := b.solve(ctx, q, buildkit.Frontend{Image: frontend + ":" + p.tag(), Name: filePlan, Content: p.content})
	if err != nil {
		return result, err
	}
	if result.ImageID, err = b.bare(ctx, r, result.ImageID); err != nil {
		return result, err
	}
	if command := p.Deploy.StartCommand; r.Procfile == nil && command != "" {
		result.Procfile = []byte("web: " + command + "\n")
	}
	return result, nil
}

// bare makes an image without the ENTRYPOINT and CMD of another one.
func (b *Builder) bare(ctx context.Context, r build.Request, image string) (id string, err error) {
	c, err := b.config.Steps.Create(ctx, container.Spec{Name: r.App + ".build.railpack", Image: image, Entrypoint: []string{"none"}, Labels: r.Labels})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Remove()) }()
	return c.Commit(ctx, container.Image{Entrypoint: []string{}, Command: []string{}, Labels: r.Labels})
}
