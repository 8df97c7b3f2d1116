package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	dockerbuild "github.com/docker/docker/api/types/build"
	"github.com/docker/docker/client"
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
}

// Solver builds with the BuildKit of one Docker Engine.
type Solver struct{ config Config }

// New returns a Solver. It does not call the engine.
func New(c Config) *Solver { return &Solver{c} }

// Solve builds an image of the request's commit by the Dockerfile at a path in it.
// Two builds of one app at a time would send every file again. When ctx is done
// the engine kills the running step, and nothing is left running here.
func (s *Solver) Solve(ctx context.Context, r build.Request, dockerfile string) (build.Result, error) {
	return s.build(ctx, job{r, s.config.Client(), s.config.DockerConfig, dockerfile, nil})
}

func (s *Solver) build(ctx context.Context, j job) (build.Result, error) {
	start, r := time.Now(), j.Request
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
	client       *client.Client
	dockerConfig string
	dockerfile   string
	// folder has the Dockerfile; nil: the commit has it.
	folder fsutil.FS
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
		streamed <- stream(ctx, r, sess.id(), messages)
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
		explainMissing(failed, files.tree, r.dockerfile)
		explain(failed, r)
		return "", failed
	case err != nil:
		return "", fmt.Errorf("cannot build %s: %w", r.Commit.Short, err)
	case id == "":
		return "", fmt.Errorf("cannot build %s: the engine named no image; is it Docker 18.09 or later?", r.Commit.Short)
	}
	return id, nil
}

// stream sends the request and the engine's answers to messages.
func stream(ctx context.Context, r job, session string, messages chan<- message) error {
	o := dockerbuild.ImageBuildOptions{
		Version:       dockerbuild.BuilderBuildKit,
		RemoteContext: "client-session",
		SessionID:     session,
		BuildID:       session,
		Dockerfile:    r.dockerfile,
		Labels:        r.Labels,
		BuildArgs:     map[string]*string{},
		Target:        r.Target,
		Platform:      r.Platform,
		NoCache:       r.NoCache,
		ExtraHosts:    r.Hosts,
	}
	for _, k := range slices.Sorted(maps.Keys(r.BuildArgs)) {
		v := r.BuildArgs[k]
		o.BuildArgs[k] = &v
	}
	resp, err := r.client.ImageBuild(ctx, nil, o)
	if client.IsErrConnectionFailed(err) {
		return fmt.Errorf("%w; start it (systemctl start docker) and push again", err)
	}
	if err != nil {
		return fmt.Errorf("the engine refuses the build: %w", err)
	}
	defer resp.Body.Close()
	d := newMessages(resp.Body)
	for {
		m, err := d.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("the engine's answer broke off: %w; push again", err)
		}
		select {
		case messages <- m:
		case <-ctx.Done():
			return nil
		}
	}
}
