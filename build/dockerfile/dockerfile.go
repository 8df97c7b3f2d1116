package dockerfile

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildkit"
	"dokku/build/source"
)

// Config says which engine builds.
type Config struct {
	// Client returns the client of an engine of API 1.39 or later. It is asked once
	// for each build: a client is replaced when its engine comes back upgraded.
	Client func() *client.Client
	// DockerConfig is the folder of the config.json that has the registries'
	// credentials. "": $DOCKER_CONFIG, or .docker in the home folder.
	DockerConfig string
	// Daemon is the path of the socket of the server's own BuildKit: see buildkit.Config.
	Daemon string
}

// Builder builds from a Dockerfile.
type Builder struct {
	config Config
	solver *buildkit.Solver
}

var _ build.Inspector = (*Builder)(nil)

// New returns a Builder. It does not call the engine.
func New(c Config) *Builder { return &Builder{c, buildkit.New(buildkit.Config(c))} }

// Name is "dockerfile".
func (*Builder) Name() string { return build.Dockerfile }

// defaultName is the path of the Dockerfile, unless a setting says otherwise.
const defaultName = "Dockerfile"

// maxDockerfile is the size in bytes of the largest Dockerfile. BuildKit's parser takes a time that
// grows with the square of a line that is continued.
const maxDockerfile = 256 << 10

// Detect looks for the Dockerfile that the request names; its path is the reason.
func (*Builder) Detect(ctx context.Context, r build.Request) (reason string, ok bool, err error) {
	name, err := location(r.Dockerfile)
	if err != nil {
		return "", false, err
	}
	if _, ok, err = r.Source.Read(r.Commit, name, maxDockerfile); err != nil || ok {
		return name, ok, err
	}
	if other := sibling(r.Source, r.Commit, name); other != "" {
		return fmt.Sprintf("it has no %s but %s; rename that and push again", name, other), false, nil
	}
	if name != defaultName {
		return fmt.Sprintf("it has no %s in %s; add the file or correct the path: dokku builder-dockerfile:set %s dockerfile-path FILE", name, r.Root(), r.App), false, nil
	}
	tree, err := r.Source.Tree(ctx, r.Commit, source.DefaultLimits)
	if err != nil {
		return "", false, err
	}
	files, err := r.Source.Files(r.Commit.Tree, ".")
	return missing(r, others(tree), files), false, err
}

// Inspect refuses a Dockerfile that a foreign image would read.
func (*Builder) Inspect(_ context.Context, r build.Request) (ports []int, err error) {
	_, ports, err = inspect(r)
	return ports, err
}

// Build has the engine's BuildKit build the Dockerfile.
func (b *Builder) Build(ctx context.Context, r build.Request) (build.Result, error) {
	name, ports, err := inspect(r)
	if err != nil {
		return build.Result{}, err
	}
	uses, err := b.check(ctx, r, name)
	if err != nil {
		return build.Result{}, err
	}
	if !r.Isolated && slices.ContainsFunc(uses, func(u use) bool { return u.own }) {
		// A part of what BuildKit knows steps by: see the package's comment.
		r.Hosts = append([]string{"build-" + r.App + ":127.0.0.1"}, r.Hosts...)
	}
	result, err := b.solver.Solve(ctx, r, name)
	result.ExposedPorts = ports
	return result, err
}

// inspect returns the path of the Dockerfile and the ports that it exposes.
func inspect(r build.Request) (name string, ports []int, err error) {
	if name, err = location(r.Dockerfile); err != nil {
		return "", nil, err
	}
	content, _, err := r.Source.Read(r.Commit, name, maxDockerfile)
	if err != nil {
		return "", nil, err
	}
	if ports, err = exposedPorts(content, outside{r.BuildArgs, r.Target, r.Platform}); err != nil {
		return name, nil, guard{r, name}.work(err)
	}
	uses, err := usesOf(content, outside{r.BuildArgs, r.Target, r.Platform})
	if err != nil {
		return name, nil, guard{r, name}.work(err)
	}
	if err := checkFrontend(name, content, r); err != nil {
		return name, ports, err
	}
	return name, ports, guard{r, name}.files(uses)
}

// check refuses what the engine and the network tell about the Dockerfile. It returns what the
// Dockerfile uses.
func (b *Builder) check(ctx context.Context, r build.Request, name string) ([]use, error) {
	content, _, err := r.Source.Read(r.Commit, name, maxDockerfile)
	if err != nil {
		return nil, err
	}
	uses, err := usesOf(content, outside{r.BuildArgs, r.Target, r.Platform})
	if err != nil {
		return nil, guard{r, name}.work(err)
	}
	return uses, guard{r, name}.engine(ctx, b.config.Client(), uses)
}

// location is the path of the Dockerfile in the tree for the app's setting.
func location(setting string) (string, error) {
	if setting == "" {
		return defaultName, nil
	}
	clean := path.Clean(setting)
	if path.IsAbs(setting) || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("cannot use %q as the path of a Dockerfile: it is not a path inside the repository", setting)
	}
	return clean, nil
}

// sibling finds a file beside name that differs in case only.
func sibling(s *source.Source, c source.Commit, name string) string {
	files, err := s.Files(c.Tree, path.Dir(name))
	if err != nil {
		return ""
	}
	for _, f := range files {
		if strings.EqualFold(f, path.Base(name)) {
			return path.Join(path.Dir(name), f)
		}
	}
	return ""
}
