package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"

	dockerbuild "github.com/docker/docker/api/types/build"
	"github.com/docker/docker/client"
	"github.com/moby/buildkit/session"
)

// engineSolver is the BuildKit of an engine, behind the engine's own API.
type engineSolver struct{ client *client.Client }

func (engineSolver) key(app string) string     { return "app-" + app }
func (engineSolver) attach(s *session.Session) {}
func (engineSolver) close()                    {}

func (e engineSolver) dial(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
	return e.client.DialHijack(ctx, "/session", proto, meta)
}

func (e engineSolver) stream(ctx context.Context, r job, session string, messages chan<- message) error {
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
	// Caches that steps mount (RUN --mount=type=cache) have their path as name, by which other
	// apps' steps would share them.
	namespace := r.App
	o.BuildArgs[argNamespace] = &namespace
	resp, err := e.client.ImageBuild(ctx, nil, o)
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
