package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"dokku/agent/engine"
)

// buildVolume is a volume of an app's builds.
type buildVolume struct {
	app     string
	scratch bool
	size    int64
}

// SetCache makes a volume that carries the label of app, as builds do.
func (m *Engine) SetCache(app, name string) { m.setVolume(name, buildVolume{app: app}) }

// SetScratch makes a volume that a build has left without its container.
func (m *Engine) SetScratch(app, name string) {
	m.setVolume(name, buildVolume{app: app, scratch: true})
}

// SetCacheOf makes a volume of SetCache that has size bytes.
func (m *Engine) SetCacheOf(app, name string, size int64) {
	m.setVolume(name, buildVolume{app: app, size: size})
}

func (m *Engine) setVolume(name string, v buildVolume) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.caches == nil {
		m.caches = map[string]buildVolume{}
	}
	m.caches[name] = v
}

// inUse reports whether a container has a volume.
func (m *Engine) inUse(name string) bool {
	return slices.ContainsFunc(m.containers, func(p *process) bool {
		return slices.ContainsFunc(p.spec.Mounts, func(c engine.Mount) bool { return c.Source == name })
	})
}

// RemoveCaches implements Caches.
func (m *Engine) RemoveCaches(ctx context.Context, app string) ([]string, error) {
	return call(ctx, m, func() (names []string, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, name := range slices.Sorted(maps.Keys(m.caches)) {
			if m.caches[name].app != app {
				continue
			}
			if m.inUse(name) {
				return names, fmt.Errorf("cannot remove the build caches of app %s: volume %s: %w", app, name, engine.ErrInUse)
			}
			delete(m.caches, name)
			names = append(names, name)
		}
		delete(m.appCaches, app)
		return names, nil
	}, "RemoveCaches", app)
}

// RemoveScratch implements Caches.
func (m *Engine) RemoveScratch(ctx context.Context, app string) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		maps.DeleteFunc(m.caches, func(name string, v buildVolume) bool { return v.app == app && v.scratch && !m.inUse(name) })
		return none, nil
	}, "RemoveScratch", app)
	return err
}

// SetBuildCache gives the build cache its size in bytes.
func (m *Engine) SetBuildCache(size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.buildCache = size
}

// BuildCache implements Caches.
func (m *Engine) BuildCache(ctx context.Context) (int64, error) {
	return call(ctx, m, func() (int64, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.buildCache, nil
	}, "BuildCache")
}

// PruneBuildCache implements Caches.
func (m *Engine) PruneBuildCache(ctx context.Context, keep int64) (int64, error) {
	return call(ctx, m, func() (int64, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if keep <= 0 {
			return 0, fmt.Errorf("cannot prune the engine's build cache: internal error: a build cache of %d bytes", keep)
		}
		freed := max(0, m.buildCache-keep)
		m.buildCache -= freed
		return freed, nil
	}, "PruneBuildCache")
}

// SetAppCache gives the build cache of an app's steps its size in bytes.
func (m *Engine) SetAppCache(app string, size int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.appCaches == nil {
		m.appCaches = map[string]int64{}
	}
	m.appCaches[app] = size
}

// DiskUse implements Caches. Images have no layers in common.
func (m *Engine) DiskUse(ctx context.Context, app string, images []string) (engine.DiskUse, error) {
	return call(ctx, m, func() (use engine.DiskUse, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		use.Cache = m.appCaches[app]
		for _, v := range m.caches {
			if v.app == app && !v.scratch {
				use.Cache += v.size
			}
		}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(images))) {
			if i := m.image(id); i != nil {
				use.Images += i.Size
			}
		}
		return use, nil
	}, "DiskUse", app)
}
