package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/proxy"
	"dokku/agent/store"
	"dokku/build/registry"
)

// registryPatience is how long a registry may take to say that it is there.
const registryPatience = 20 * time.Second

// checkRegistry asks the registry that the image will be pushed to whether it answers, before
// the build: a build takes minutes, and the release command behind it cannot be undone.
func (x *Session) checkRegistry(ctx context.Context) error {
	if !x.View().PushesImages() && x.View().Scheduler() != app.SchedulerSwarm {
		return nil
	}
	host, err := x.machine()
	if err != nil {
		return err
	}
	auth, err := x.registryAuth(ctx)
	if err != nil {
		return err
	}
	defer x.Log.Busy("asking the registry %s", auth.Server)()
	ctx, cancel := engine.Within(ctx, registryPatience)
	defer cancel()
	if err := host.Login(ctx, auth); err != nil {
		return x.noRegistry(auth.Server, err)
	}
	return nil
}

// checkDoors asks the front doors whether they answer, before the build: they have to take the
// route of an app on a swarm, which they serve by themselves.
func (x *Session) checkDoors(ctx context.Context) error {
	px, ok := x.Env.Proxy(x.Settings).(proxy.Distant)
	if !ok || x.State.ProxyDisabled || x.View().Scheduler() != app.SchedulerSwarm {
		return nil
	}
	defer x.Log.Busy("asking the front doors")()
	notes, err := px.Reach(ctx)
	for _, n := range notes {
		x.warn(n)
	}
	return err
}

// registryAuth returns the registry of the app's images and the login for it, if there is one.
func (x *Session) registryAuth(ctx context.Context) (engine.RegistryAuth, error) {
	server, _, _ := strings.Cut(x.View().RegistryServer(), "/")
	if server == "" {
		server = "docker.io"
	}
	login, err := registry.Find(ctx, append(x.Env.Store.Registries(x.Name), ""), server)
	return engine.RegistryAuth{Server: server, User: login.User, Secret: login.Secret}, err
}

// noRegistry adds what helps to the error of a registry.
func (x *Session) noRegistry(server string, err error) error {
	help := fmt.Sprintf("If it asks for a login: dokku registry:login %s %s USER PASSWORD", x.Name, server)
	if x.servesRegistry() {
		help = "If it is this server's own, this starts it again, on the server: sudo dokku registry:serve\n" + help
	}
	without := "registry:set " + x.Name + " push-on-release false"
	if x.View().Scheduler() == app.SchedulerSwarm {
		without = "scheduler:set " + x.Name + " selected " + app.SchedulerLocal
	}
	return fmt.Errorf("cannot push the image to a registry: %w\n%s\nTo deploy without it: dokku %s", err, help, without)
}

// untrusted adds to the error of a node that cannot pull what it most often lacks, if the
// registry is this server's own.
func (x *Session) untrusted(err error) error {
	if !errors.Is(err, engine.ErrCannotPull) || !x.servesRegistry() {
		return err
	}
	return fmt.Errorf("%w\nA node trusts this server's registry after the line that this prints, on the server: sudo dokku registry:serve", err)
}

// servesRegistry reports whether this server has a registry of its own.
func (x *Session) servesRegistry() bool {
	_, err := os.Stat(x.Env.Store.ServedRegistry())
	return err == nil
}

// pushImage brings the release's image to the registry, if the app has one. predeploy has
// changed the image by then, and the release command has not run.
func (o *rollout) pushImage(ctx context.Context) (err error) {
	x := o.session
	if !x.View().PushesImages() && !o.release.OnSwarm() {
		return nil
	}
	auth, err := x.registryAuth(ctx)
	if err != nil {
		return err
	}
	name := x.View().RemoteImage(o.release)
	if o.release.OnSwarm() {
		repository, _, _ := cutLast(name, ":")
		if err := x.Env.Store.NoteNodeImages(ctx, repository); err != nil {
			return err
		}
	}
	x.Log.Step("Pushing image to registry")
	done := x.Log.Timed("push image")
	defer func() { done(err) }()
	defer x.Log.Busy("pushing %s", name)()
	if x.servesRegistry() {
		l, err := x.Env.Store.LockApp(ctx, store.RegistryLock, "pushing "+name, x.Log)
		if err != nil {
			return err
		}
		defer l.Release()
	}
	if o.release.Remote, err = o.host.Push(ctx, o.release.Image, name, auth, nil); err != nil {
		return x.noRegistry(auth.Server, err)
	}
	o.release.RemoteTag = o.release.Number
	x.Log.Detail("Image %s pushed", name)
	return nil
}

// retagged says that the registry could not be given the extra tags: for the agent, which
// retries, it is an error.
func (x *Session) retagged(err error) error {
	if err == nil {
		return nil
	}
	x.Env.Store.NoteProblem(x.Name, err)
	return (&executor{session: x}).leaveUndone("The image could not get its extra tags in the registry", err)
}

// tagRemote gives the current release's image its extra names in the registry, which move from
// release to release. It comes after the switch: what they name has passed its checks and
// serves. The agent retries.
func (x *Session) tagRemote(ctx context.Context) (err error) {
	names := x.View().ExtraTags()
	if len(names) == 0 {
		return nil
	}
	want := x.Current.Image + " " + strings.Join(names, " ")
	if x.State.RemoteTags == want {
		return nil
	}
	host, err := x.machine()
	if err != nil {
		return err
	}
	auth, err := x.registryAuth(ctx)
	if err != nil {
		return err
	}
	x.Log.Step("Tagging image in registry")
	defer x.Log.Busy("pushing tags to %s", auth.Server)()
	for _, name := range names {
		if _, err := host.Push(ctx, x.Current.Image, name, auth, nil); err != nil {
			return err
		}
		x.Log.Detail("Image %s pushed", name)
	}
	x.State.RemoteTags, x.dirty = want, true
	return x.Save()
}
