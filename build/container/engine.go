package container

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildkit"
	"dokku/build/registry"
	"dokku/build/source"
)

// slowCall is the deadline of a call that makes or removes something.
const slowCall = 2 * time.Minute

// Config says which engine runs the containers.
type Config struct {
	// Client returns the client of an engine of API 1.41 or later. It is asked once for
	// each call: a client is replaced when its engine comes back upgraded.
	Client func() *client.Client
	// DockerConfig is the folder of the config.json that has the registries'
	// credentials. "": $DOCKER_CONFIG, or .docker in the home folder.
	DockerConfig string
	// Labels are set on every container beside those of its Spec, which win.
	Labels map[string]string
}

// Engine runs containers of builds.
type Engine struct{ config Config }

// New returns an Engine. It does not call the Docker Engine.
func New(c Config) *Engine { return &Engine{c} }

// Image returns the id of an image by its name, and pulls it if the engine does not have
// it. logins are as in Request.Registries. print gets signs of life; nil: none.
func (e *Engine) Image(ctx context.Context, name string, logins []string, print func(build.Line)) (id string, err error) {
	cli := e.config.Client()
	found, err := cli.ImageInspect(ctx, name)
	if err == nil {
		return found.ID, nil
	}
	if !errdefs.IsNotFound(err) {
		return "", explain(ctx, fmt.Sprintf("cannot look up image %s", name), err)
	}
	if err := e.pull(ctx, cli, name, logins, print); err != nil {
		return "", err
	}
	if found, err = cli.ImageInspect(ctx, name); err != nil {
		return "", explain(ctx, fmt.Sprintf("cannot look up image %s", name), err)
	}
	return found.ID, nil
}

// pull fetches an image from its registry.
func (e *Engine) pull(ctx context.Context, cli *client.Client, name string, logins []string, print func(build.Line)) error {
	failed := func(err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("cannot pull image %s: %s; or bring the image to this server: docker save %s | ssh SERVER docker load",
			name, buildkit.Advise(plain(err)), name)
	}
	auth, err := buildkit.RegistryAuth(ctx, append(slices.Clone(logins), e.config.DockerConfig), name)
	if err != nil {
		return failed(err)
	}
	p := newPrinter("pulling "+name, print)
	pulled := make(chan error, 1)
	updates := make(chan registry.Pulled)
	go func() {
		defer close(updates)
		pulled <- registry.Pull(ctx, cli, name, auth, func(u registry.Pulled) {
			select {
			case updates <- u:
			case <-ctx.Done():
			}
		})
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for last := (registry.Pulled{}); ; {
		select {
		case u, ok := <-updates:
			if !ok {
				if err := <-pulled; err != nil {
					return failed(err)
				}
				p.end(time.Now(), false)
				return nil
			}
			p.announce() // the registry has the image
			last = u
		case now := <-tick.C:
			p.alive(now, fmt.Sprintf(", %s of %s", source.Bytes(last.Done), source.Bytes(last.Total)))
		}
	}
}
