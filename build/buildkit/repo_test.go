package buildkit

import (
	"context"
	"os"
	"testing"

	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildtest"
	"dokku/build/source"
)

func TestMain(m *testing.M) { buildtest.Main(m, receive) }

// pushed is the hook's report to the test.
type pushed struct {
	buildtest.Pushed `json:"-"`

	Result  build.Result
	Lines   []build.Line
	Headers []string
}

const (
	appEnv   = "DOKKU_BUILD_TEST_APP"
	cacheEnv = "DOKKU_BUILD_TEST_MANIFEST"
)

// receive is a pre-receive hook that builds.
func receive(revision string) (any, error) {
	var out pushed
	s, err := source.Open(source.OptionsFromEnv(".", os.Getenv))
	if err != nil {
		return out, err
	}
	defer s.Close()
	c, err := s.Commit(revision)
	if err != nil {
		return out, err
	}
	ctx := context.Background()
	if _, err := s.Validate(ctx, c, source.DefaultLimits); err != nil {
		return out, err
	}
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return out, err
	}
	defer cli.Close()
	app := os.Getenv(appEnv)
	out.Result, err = New(Config{Client: func() *client.Client { return cli }}).Solve(ctx, build.Request{
		App: app, Source: s, Commit: c, Manifest: os.Getenv(cacheEnv),
		Labels:   map[string]string{labelApp: app},
		Header:   func(h build.Header) { out.Headers = append(out.Headers, h.String()) },
		Progress: func(l build.Line) { out.Lines = append(out.Lines, l) },
	}, "Dockerfile")
	return out, err
}

// repo is a repository that opens itself as a Source.
type repo struct{ buildtest.Repo }

// files are the files of a commit.
type files = buildtest.Files

func newRepo(t testing.TB) repo { return repo{buildtest.NewRepo(t)} }

func (r repo) open() *source.Source {
	r.T.Helper()
	s, err := source.Open(source.Options{GitDir: r.Dir})
	if err != nil {
		r.T.Fatal(err)
	}
	r.T.Cleanup(func() { s.Close() })
	return s
}

// push pushes main of r to a repository that has the hook.
func (r repo) push(to repo, app, manifest string) (p pushed) {
	r.T.Helper()
	p.Pushed = r.Push(to.Repo, &p, appEnv+"="+app, cacheEnv+"="+manifest)
	return p
}
