package deploy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/inspect"
	"dokku/build"
	"dokku/build/registry"
	"dokku/build/source"
)

// request is what the builders get to know of the app: its files and the settings of now.
// It says which build arguments have no value.
func (b *building) request(ctx context.Context) (build.Request, error) {
	x := b.session
	q, left, err := inspect.Request(x.View(), b.source, b.commit, b.release)
	for _, name := range left {
		x.warn(fmt.Sprintf("--build-arg %s has no effect: the config has no %[1]s. To set it: dokku config:set --no-restart %s %[1]s=VALUE", name, x.Name))
	}
	if err != nil {
		return q, err
	}
	if from := b.release.Source; from == nil || from.Kind != app.SourceImage { // else somebody with the right to it named the image
		q.Foreign, q.Private = x.foreign, x.private
	}
	q.Manifest, q.Registries = x.Env.Store.Manifest(x.Name), x.Env.Store.Registries(x.Name)
	if q.Labels == nil { // docker-options may have set some
		q.Labels = map[string]string{}
	}
	q.Labels[engine.LabelApp] = x.Name
	q.Chosen, q.Header, q.Progress = b.chosen, b.header, x.printLine
	if x.Current != nil {
		q.Old = b.before(x.Current.Revision)
	}
	if q.Limits, err = x.Settings.BuildLimits(); err == nil {
		err = b.useSourceImage(ctx, &q)
	}
	return q, err
}

// foreign returns the app whose image a name means; "" if it is no other app's.
func (x *Session) foreign(image string) string {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return ""
	}
	registry := app.RegistryServer(x.Settings.Registry[app.PropRegistry])
	if !strings.HasPrefix(ref.Name(), "docker.io/dokku/") && (registry == "" || !strings.HasPrefix(ref.Name(), registry)) {
		return ""
	}
	names, _ := x.Env.Store.Apps()
	for _, name := range names {
		if name == x.Name {
			continue
		}
		if st, err := x.Env.Store.State(name); err == nil && (app.View{App: &app.App{Name: name, State: st}, Settings: x.Settings}).HasImages(ref.Name()) {
			return name
		}
	}
	return ""
}

// private reports whether another app has a login of its own at the registry of an image.
func (x *Session) private(image string) bool {
	server, err := registry.ServerOf(image)
	if err != nil {
		return false
	}
	names, _ := x.Env.Store.Apps()
	return slices.ContainsFunc(names, func(name string) bool {
		if name == x.Name {
			return false
		}
		data, err := os.ReadFile(filepath.Join(x.Env.Store.Registries(name)[0], registry.ConfigFile))
		if err != nil {
			return false
		}
		l, err := registry.Stored(data, server)
		return err != nil || l != registry.Login{}
	})
}

// header prints what is built with what.
func (b *building) header(h build.Header) {
	x := b.session
	x.Log.Step("Building %s %s (%s)", x.Name, h.Choice, h)
	if own, why := x.View().OwnBuilder(); own && (h.Builder == build.Dockerfile || h.Builder == build.Railpack) {
		x.Log.Detail("in the builder of this server, apart from the engine (%s)", why)
	}
	if len(x.State.BuildOptions) > 0 && h.Builder != build.Dockerfile {
		x.Log.Warn("the options of docker build (docker-options:report %s) have an effect on a Dockerfile only", x.Name)
	}
}

// before returns what the number of changed files compares with: the build-dir of the
// current revision. A revision without it compares as a whole.
func (b *building) before(revision string) string {
	old, err := b.source.Commit(revision)
	if err == nil {
		old, err = b.source.KnownFolder(old, b.release.BuildDir)
	}
	if err != nil {
		return revision
	}
	return old.Tree
}

// buildDir returns the commit with the tree of the app's build-dir, which is then built
// as if it were the whole repository, as in Dokku: the paths of all other files begin
// there.
func buildDir(ctx context.Context, src *source.Source, c source.Commit, name, dir string) (source.Commit, error) {
	in, err := src.Folder(ctx, c, dir)
	if err != nil {
		return c, fmt.Errorf("%w; correct the path: dokku builder:set %s build-dir DIR, or without DIR for the root", err, name)
	}
	return in, nil
}
