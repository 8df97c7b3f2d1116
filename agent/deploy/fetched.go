package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/build/registry"
)

// FetchImage brings the image of a release back from the registry that its deploy pushed it to,
// by digest, if this engine has lost it, for example to docker image prune --all. Without a
// registry it does nothing, and who needs the image says that it is missing.
func (e *Env) FetchImage(ctx context.Context, v app.View, r *app.Release, log event.Log) error {
	host, err := e.machine(v.Settings)
	if err != nil {
		return err
	}
	if has, err := hasImage(ctx, host, r); has || err != nil || r.Remote == "" {
		return err
	}
	log.Step("Pulling image of v%d from registry: it is not on this server any more", r.Number)
	defer log.Busy("pulling %s", r.Remote)()
	if err := e.fetch(ctx, v, host, r); err != nil {
		return fmt.Errorf("cannot get the image of v%d of %s, which is not on this server any more: %w\nTo build it again: dokku ps:rebuild %[2]s", r.Number, v.Name, err)
	}
	return nil
}

func (e *Env) fetch(ctx context.Context, v app.View, host machine, r *app.Release) error {
	server, _, _ := strings.Cut(r.Remote, "/")
	if !strings.ContainsAny(server, ".:") {
		server = "docker.io"
	}
	login, err := registry.Find(ctx, append(e.Store.Registries(v.Name), ""), server)
	if err != nil {
		return err
	}
	if err := host.Pull(ctx, r.Remote, engine.RegistryAuth{Server: server, User: login.User, Secret: login.Secret}, nil); err != nil {
		return err
	}
	info, err := host.Image(ctx, r.Remote)
	if err != nil {
		return err
	}
	if info.ID != r.Image {
		return fmt.Errorf("%s is the image %s here, not %s", r.Remote, engine.Short(info.ID), engine.Short(r.Image))
	}
	return host.Tag(ctx, info.ID, ImageTag(v.Name, info.ID))
}

// hasImage reports whether the engine has a release's image.
func hasImage(ctx context.Context, host engine.Images, r *app.Release) (bool, error) {
	_, err := host.Image(ctx, r.Image)
	if errors.Is(err, engine.ErrNoImage) {
		return false, nil
	}
	return err == nil, err
}

// obtainable is hasImage, or a registry has had the image.
func obtainable(ctx context.Context, host engine.Images, r *app.Release) (bool, error) {
	if r.Remote != "" {
		return true, nil
	}
	return hasImage(ctx, host, r)
}

// ready refuses what the swarm cannot run, and brings the image of an earlier release to where it is
// needed: to a registry if it is in none (a push has done that before its release command),
// or back to this server.
func (o *rollout) ready(ctx context.Context) error {
	x := o.session
	if !o.release.OnSwarm() {
		return x.Env.FetchImage(ctx, x.View(), o.release, x.Log)
	}
	if err := x.swarmReady(ctx, o.release); err != nil || o.release == x.Current || !x.needsPush(o.release) {
		return err
	}
	if err := x.Env.FetchImage(ctx, x.View(), o.release, x.Log); err != nil {
		return err
	}
	if has, err := hasImage(ctx, o.host, o.release); !has && err == nil {
		return fmt.Errorf("cannot push the image of v%d of %s to a registry: it is not on this server any more; build it again: dokku ps:rebuild %[2]s", o.release.Number, x.Name)
	}
	return o.pushImage(ctx)
}
