package docker

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"

	"dokku/agent/engine"
	"dokku/build/buildkit"
)

// RemoveCaches implements Caches.
func (d *Engine) RemoveCaches(ctx context.Context, app string) ([]string, error) {
	names, err := d.removeVolumes(ctx, app, labelled(app), false)
	if err == nil {
		err = d.removeMounted(ctx, app)
	}
	if err != nil {
		return names, fmt.Errorf("cannot remove the build caches of app %s: %w", app, err)
	}
	return names, nil
}

// removeMounted removes the build caches that steps of the app's builds mount.
func (d *Engine) removeMounted(ctx context.Context, app string) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := engine.Within(ctx, engine.PruneCall)
	defer cancel()
	_, err = buildkit.RemoveAppCache(ctx, cli, app)
	return d.explain(ctx, err)
}

// DiskUse implements Caches. An engine has the sizes of an image's layers in its history only,
// and layers in common by what is below them, too.
func (d *Engine) DiskUse(ctx context.Context, app string, images []string) (use engine.DiskUse, err error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return use, err
	}
	ctx, cancel := engine.Within(ctx, engine.SlowCall)
	defer cancel()
	counted := map[string]bool{}
	for _, id := range images {
		have, err := cli.ImageInspect(ctx, id)
		var history []image.HistoryResponseItem
		if err == nil {
			history, err = cli.ImageHistory(ctx, id)
		}
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return use, fmt.Errorf("cannot look at the layers of image %s: %w", engine.Short(id), d.explain(ctx, err))
		}
		use.Images += newLayers(have.RootFS.Layers, history, counted)
	}
	if use.Cache, err = buildkit.AppCache(ctx, cli, app); err != nil {
		return use, fmt.Errorf("cannot look at the engine's build cache: %w", d.explain(ctx, err))
	}
	size, err := d.cacheVolumes(ctx, cli, app)
	if err != nil {
		return use, fmt.Errorf("cannot measure the build caches of app %s: %w", app, d.explain(ctx, err))
	}
	use.Cache += size
	return use, nil
}

// newLayers returns the bytes of the layers of an image that are not counted yet, and counts
// them. The history does not say which of its steps have no layer, so a step is told from those
// of other images by all steps up to it and by as many layers as there are steps with bytes.
func newLayers(layers []string, history []image.HistoryResponseItem, counted map[string]bool) (size int64) {
	sum, n := sha256.New(), 0
	for _, h := range slices.Backward(history) { // the newest comes first
		fmt.Fprintf(sum, "%d %d %q\n", h.Created, h.Size, h.CreatedBy)
		if h.Size > 0 && n < len(layers) {
			fmt.Fprintln(sum, layers[n])
			n++
		}
		key := string(sum.Sum(nil))
		if !counted[key] {
			size += h.Size
		}
		counted[key] = true
	}
	return size
}

// RemoveScratch implements Caches.
func (d *Engine) RemoveScratch(ctx context.Context, app string) error {
	selected := labelled(app)
	selected.Add("label", engine.LabelContainerType+"="+string(engine.KindBuild))
	_, err := d.removeVolumes(ctx, app, selected, true)
	if err != nil {
		return fmt.Errorf("cannot remove the volumes that builds of app %s have left: %w", app, err)
	}
	return nil
}

// removeVolumes removes volumes of an app and returns their names. It leaves those alone that
// are in use, or fails.
func (d *Engine) removeVolumes(ctx context.Context, app string, selected filters.Args, leave bool) (names []string, err error) {
	if app == "" {
		return nil, errors.New("no app is given")
	}
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := engine.Within(ctx, engine.SlowCall)
	defer cancel()
	list, err := cli.VolumeList(ctx, volume.ListOptions{Filters: selected})
	if err != nil {
		return nil, d.explain(ctx, err)
	}
	for _, v := range list.Volumes {
		if engine.OfDokku(v.Labels, nil) {
			continue
		}
		err := cli.VolumeRemove(ctx, v.Name, false)
		switch {
		case err == nil:
			names = append(names, v.Name)
		case errdefs.IsNotFound(err): // it has gone since it was listed
		case errdefs.IsConflict(err) && leave:
		case errdefs.IsConflict(err):
			return names, fmt.Errorf("volume %s: %w", v.Name, engine.ErrInUse)
		default:
			return names, d.explain(ctx, err)
		}
	}
	slices.Sort(names)
	return names, nil
}

// BuildCache implements Caches.
func (d *Engine) BuildCache(ctx context.Context) (int64, error) {
	cli, err := d.connect(ctx)
	var size int64
	if err == nil {
		var cancel context.CancelFunc
		ctx, cancel = engine.Within(ctx, engine.QuickCall)
		defer cancel()
		size, err = buildkit.CacheSize(ctx, cli)
	}
	if err != nil {
		return 0, fmt.Errorf("cannot look at the engine's build cache: %w", d.explain(ctx, err))
	}
	return size, nil
}

// PruneBuildCache implements Caches.
func (d *Engine) PruneBuildCache(ctx context.Context, keep int64) (freed int64, err error) {
	cli, err := d.connect(ctx)
	if err == nil {
		var cancel context.CancelFunc
		ctx, cancel = engine.Within(ctx, engine.PruneCall)
		defer cancel()
		freed, err = buildkit.PruneCache(ctx, cli, keep)
	}
	if err != nil {
		return freed, fmt.Errorf("cannot prune the engine's build cache: %w", d.explain(ctx, err))
	}
	return freed, nil
}
