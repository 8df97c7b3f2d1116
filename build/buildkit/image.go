package buildkit

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/docker/docker/client"
	"github.com/moby/buildkit/session"
	"github.com/tonistiigi/fsutil"

	"dokku/build"
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
	// Daemon is the path of the socket of the server's own BuildKit, which builds requests
	// that are Isolated. "": the server has none.
	Daemon string
}

// Solver builds with the BuildKit of one Docker Engine, or beside it.
type Solver struct{ config Config }

// New returns a Solver. It does not call the engine.
func New(c Config) *Solver { return &Solver{c} }

// Solve builds an image of the request's commit by the Dockerfile at a path in it.
// Two builds of one app at a time would send every file again. When ctx is done
// the engine kills the running step, and nothing is left running here.
func (s *Solver) Solve(ctx context.Context, r build.Request, dockerfile string) (build.Result, error) {
	return s.build(ctx, job{Request: r, config: s.config, client: s.config.Client(), dockerfile: dockerfile})
}

func (s *Solver) build(ctx context.Context, j job) (build.Result, error) {
	start, r := time.Now(), j.Request
	if err := j.open(ctx); err != nil {
		return build.Result{}, fmt.Errorf("cannot build %s: %w", r.Commit.Short, err)
	}
	defer j.solver.close()
	t, err := r.Source.Tree(ctx, r.Commit, source.DefaultLimits)
	if err != nil {
		return build.Result{}, err
	}
	h := build.Header{Commit: r.Commit}
	files, err := prepare(ctx, r, t, &h, start)
	if err != nil {
		return build.Result{}, fmt.Errorf("cannot build %s: %w", r.Commit.Short, err)
	}
	id, err := run(ctx, j, h, files)
	files.transfer.report(&h)
	return build.Result{Header: h, ImageID: id, Duration: time.Since(start)}, err
}

// job is one build.
type job struct {
	build.Request
	config     Config
	client     *client.Client
	dockerfile string
	// folder has the Dockerfile; nil: the commit has it.
	folder fsutil.FS
	// solver is the BuildKit that builds.
	solver solver
}

// solver is a BuildKit: an engine's, or the server's own.
type solver interface {
	// key is what the BuildKit knows the files of the app's last build by.
	key(app string) string
	// dial opens the connection over which the BuildKit asks for files and passwords.
	dial(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error)
	// attach adds what the BuildKit may ask for beside these.
	attach(s *session.Session)
	// stream sends the request, and the answers to messages until the build has ended.
	stream(ctx context.Context, r job, session string, messages chan<- message) error
	close()
}

// open connects the job with the BuildKit that builds it.
func (j *job) open(ctx context.Context) (err error) {
	if !j.Isolated {
		j.solver = engineSolver{j.client}
		return nil
	}
	j.solver, err = newDaemon(ctx, *j)
	return err
}

// prepare gives every file its time, keeps the times before the engine can
// learn of them, and counts the changes.
func prepare(ctx context.Context, r build.Request, t *source.Tree, h *build.Header, now time.Time) (*contextFS, error) {
	old, err := readManifest(r.Manifest)
	if err != nil {
		return nil, err
	}
	var m manifest
	m, h.FilesChanged, h.BytesChanged = old.next(t, now)
	if err := writeManifest(r.Manifest, m, t); err != nil {
		return nil, err
	}
	if r.Old != "" {
		if n, err := r.Source.Changed(ctx, r.Old, r.Commit.Tree, source.DefaultLimits.Files); err == nil {
			h.FilesChanged = n // else the old commit is gone, as after a forced push
		}
	}
	return &contextFS{source: r.Source, tree: t, manifest: m, transfer: newTransfer()}, ctx.Err()
}

// run starts the build and follows it to its end.
func run(ctx context.Context, r job, h build.Header, files *contextFS) (id string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sess, err := startSession(ctx, r, files, cancel)
	if err != nil {
		return "", err
	}
	defer sess.close()
	messages := make(chan message)
	streamed := make(chan error, 1)
	go func() {
		streamed <- r.solver.stream(ctx, r, sess.id(), messages)
		close(messages)
	}()
	p := newPrinter(time.Now(), r.Progress, files.transfer, func() {
		if r.Header != nil {
			now := h
			files.transfer.report(&now)
			r.Header(now)
		}
	})
	id, refused := p.follow(messages)
	err = <-streamed
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("cannot build %s: %w", r.Commit.Short, context.Cause(ctx))
	case refused != "":
		failed := p.failure(r.Commit.Short, refused, time.Now())
		explainMissing(failed, files.tree, r.dockerfile, r.App)
		explain(failed, r)
		return "", failed
	case err != nil:
		return "", fmt.Errorf("cannot build %s: %w", r.Commit.Short, err)
	case id == "":
		return "", fmt.Errorf("cannot build %s: the engine named no image; is it Docker 18.09 or later?", r.Commit.Short)
	}
	return id, nil
}
