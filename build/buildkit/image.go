package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"dokku/build/dockerfile"
	"dokku/build/source"

	dockerbuild "github.com/docker/docker/api/types/build"
	"github.com/docker/docker/client"
)

// Request says what to build. Client, App, Source, Commit and Manifest are
// required.
type Request struct {
	// Client talks to an engine of API 1.39 or later (BuildKit). Its maker
	// decides on version negotiation.
	Client *client.Client
	App    string
	Source *source.Source
	Commit source.Commit
	// Limits are the budgets of the tree; zero means source.DefaultLimits. They do not
	// matter when the commit was validated before.
	Limits source.Limits
	// Old is the commit that FilesChanged compares with. "": the files of the
	// app's last build, accepted or not.
	Old string
	// Dockerfile is the app's setting; "" means Dockerfile in the root.
	Dockerfile string
	// Manifest is the path of the app's manifest, a file that only this package
	// reads. Its folder exists.
	Manifest string

	Tags []string
	// Labels are set on the image. The same content makes the same image id
	// only while they stay the same, so they name the app, never the release.
	Labels    map[string]string
	BuildArgs map[string]string
	NoCache   bool
	Pull      bool // ask the registry for newer base images
	// DockerConfig is the folder of the config.json that has the registries'
	// credentials. "": $DOCKER_CONFIG, or .docker in the home folder.
	DockerConfig string

	// Header is called once, before the first line, as soon as all files have
	// been sent, but a second after the start at the latest.
	Header func(Header)
	// Progress is called for every line. Like Header it is called by the
	// goroutine that called Image, which waits for it.
	Progress func(Line)
}

// Header is what a push prints before the steps of its build.
type Header struct {
	Builder dockerfile.Builder
	Commit  source.Commit
	// FilesChanged counts added, changed and removed files.
	FilesChanged int
	// BytesSent counts the bytes of files that went to the engine.
	BytesSent int64
	// Sending: the files were still being sent when the header was due.
	Sending bool
	// BytesChanged counts the bytes of the added and changed files, which is
	// about what will have been sent.
	BytesChanged int64
}

// String is "3f2c1d9, 14 files changed, 120 kB sent", or "sending 120 MB" at
// the end while that goes on.
func (h Header) String() string {
	sent := source.Bytes(h.BytesSent) + " sent"
	switch {
	case h.Sending && h.BytesChanged > h.BytesSent:
		sent = "sending " + source.Bytes(h.BytesChanged)
	case h.Sending:
		sent = "sending files"
	}
	return fmt.Sprintf("%s, %s changed, %s", h.Commit.Short, count(h.FilesChanged, "file"), sent)
}

// Result is a built image. Its Header has the final numbers.
type Result struct {
	Header
	ImageID  string // "sha256:..."
	Duration time.Duration
}

// Image builds the commit's image. The app's lock is held by the caller: two
// builds of one app at a time would send every file again. A failure of the
// build itself, as opposed to one of the host, is an *Error. When ctx is done
// the engine kills the running step, and nothing is left running here.
func Image(ctx context.Context, r Request) (Result, error) {
	start := time.Now()
	if r.Limits == (source.Limits{}) {
		r.Limits = source.DefaultLimits
	}
	t, err := r.Source.Tree(ctx, r.Commit, r.Limits)
	if err != nil {
		return Result{}, err
	}
	builder, err := dockerfile.Detect(r.Source, r.Commit, r.Dockerfile)
	if err != nil {
		return Result{}, err
	}
	h := Header{Builder: builder, Commit: r.Commit}
	files, err := prepare(ctx, r, t, &h, start)
	if err != nil {
		return Result{}, fmt.Errorf("cannot build %s: %w", r.Commit.Short, err)
	}
	id, err := run(ctx, r, h, files)
	h.BytesSent = files.sent.Load()
	return Result{Header: h, ImageID: id, Duration: time.Since(start)}, err
}

// prepare gives every file its time, keeps the times before the engine can
// learn of them, and counts the changes.
func prepare(ctx context.Context, r Request, t *source.Tree, h *Header, now time.Time) (*contextFS, error) {
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
		if n, err := r.Source.Changed(ctx, r.Old, r.Commit.Hash, r.Limits.Files); err == nil {
			h.FilesChanged = n // else the old commit is gone, as after a forced push
		}
	}
	return &contextFS{source: r.Source, tree: t, manifest: m}, ctx.Err()
}

// run has the engine build and follows it to its end.
func run(ctx context.Context, r Request, h Header, files *contextFS) (id string, err error) {
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
		streamed <- stream(ctx, r, h.Builder, sess.id(), messages)
		close(messages)
	}()
	p := newPrinter(time.Now(), r.Progress, func(sending bool) {
		if r.Header != nil {
			now := h
			now.BytesSent, now.Sending = files.sent.Load(), sending
			r.Header(now)
		}
	})
	p.sent = files.sent.Load
	id, refused := p.follow(messages)
	err = <-streamed
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("cannot build %s: %w", r.Commit.Short, context.Cause(ctx))
	case refused != "":
		return "", p.failure(r.Commit.Short, refused)
	case err != nil:
		return "", fmt.Errorf("cannot build %s: %w", r.Commit.Short, err)
	case id == "":
		return "", fmt.Errorf("cannot build %s: the engine named no image; is it Docker 18.09 or later?", r.Commit.Short)
	}
	return id, nil
}

// stream sends the request and the engine's answers to messages.
func stream(ctx context.Context, r Request, b dockerfile.Builder, session string, messages chan<- message) error {
	o := dockerbuild.ImageBuildOptions{
		Version:       dockerbuild.BuilderBuildKit,
		RemoteContext: "client-session",
		SessionID:     session,
		BuildID:       session,
		Dockerfile:    b.Path,
		Tags:          r.Tags,
		Labels:        r.Labels,
		BuildArgs:     map[string]*string{},
		NoCache:       r.NoCache,
		PullParent:    r.Pull,
	}
	for _, k := range slices.Sorted(maps.Keys(r.BuildArgs)) {
		v := r.BuildArgs[k]
		o.BuildArgs[k] = &v
	}
	resp, err := r.Client.ImageBuild(ctx, nil, o)
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
