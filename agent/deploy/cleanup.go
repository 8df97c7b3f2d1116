package deploy

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"

	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/build/buildkit"
	"dokku/build/source"
)

// Cleanup removes ended one-off containers and everything that no kept release needs,
// and prints what it removed.
func (x *Session) Cleanup(ctx context.Context) error {
	x.Log.Step("Cleaning up %s", x.Name)
	host, err := x.machine()
	if err != nil {
		return err
	}
	before, err := Observe(ctx, host, x.App)
	if err != nil {
		return err
	}
	sizes := map[string]int64{}
	for _, i := range before.Images {
		if info, err := host.Image(ctx, i.ID); err == nil {
			sizes[i.ID] = info.Size
		}
	}
	for _, i := range before.Instances {
		if i.Kind == engine.KindRun && (i.Status == engine.StatusExited || i.Status == engine.StatusDead) {
			if err := host.Remove(ctx, engine.Resource{Kind: engine.Container, ID: i.ID}); err != nil {
				return err
			}
		}
	}
	if err := x.Converge(ctx, false); err != nil {
		return err
	}
	after, err := Observe(ctx, host, x.App)
	if err == nil {
		printRemoved(x.Log, before, after, sizes)
	}
	return err
}

// PurgeCache removes what the app's builds keep for the next one, and prints it.
func (x *Session) PurgeCache(ctx context.Context) error {
	x.Log.Step("Purging the build cache of %s", x.Name)
	host, err := x.machine()
	if err != nil {
		return err
	}
	fetched, err := x.purgeFetched()
	if err != nil {
		return err
	}
	names, err := host.RemoveCaches(ctx, x.Name)
	for _, name := range names {
		x.Log.Detail("Removed volume %s", name)
	}
	built := x.builtApart()
	x.forgetBuilder(ctx)
	if built {
		x.Log.Detail("Removed what the builder of this server keeps of the app")
	}
	if len(names) == 0 && !fetched && !built && err == nil {
		x.Log.Detail("There is nothing to remove")
	}
	return err
}

// builtApart reports whether the server's own builder has built the app.
func (x *Session) builtApart() bool { return buildkit.Named(x.Env.Store.Manifest(x.Name)) }

// forgetBuilder removes what the server's own builder keeps of the app. A builder that does not
// answer keeps it until it collects what is used least: the app is no longer the one that it is
// kept for.
func (x *Session) forgetBuilder(ctx context.Context) {
	if err := buildkit.Forget(ctx, x.Settings.BuilderSocket(), x.Env.Store.Manifest(x.Name)); err != nil {
		x.warn(err.Error())
	}
}

// purgeFetched removes the submodules and contents of LFS that were fetched, and reports
// whether there were any.
func (x *Session) purgeFetched() (bool, error) {
	dir := x.fetched()
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err := x.Env.Store.At("remove what was fetched"); err != nil {
		return true, err
	}
	x.Log.Detail("Removed the fetched submodules and files of Git LFS")
	return true, x.Env.Store.Disk.RemoveAll(dir)
}

// printRemoved prints the containers and images that exist before but not after.
func printRemoved(log event.Log, before, after engine.Observed, sizes map[string]int64) {
	removed := 0
	for _, i := range before.Instances {
		if !slices.ContainsFunc(after.Instances, func(o engine.Instance) bool { return o.ID == i.ID }) {
			log.Detail("Removed container %s", i.Name)
			removed++
		}
	}
	for _, i := range before.Images {
		if !slices.ContainsFunc(after.Images, func(o engine.Image) bool { return o.ID == i.ID }) {
			log.Detail("Removed image %s (%s)", i.ID, source.Bytes(sizes[i.ID]))
			removed++
		}
	}
	if removed == 0 {
		log.Detail("There is nothing to remove")
	}
}
