package memory

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"dokku/agent/engine"
)

// A registryImage is an image that Pull finds.
type registryImage struct {
	engine.ImageInfo
	auth engine.RegistryAuth
}

// SetRegistry puts an image into the registry that Pull reads, under a name with a tag.
// Only auth may pull it, or anybody if auth is empty. Login accepts auth too.
func (m *Engine) SetRegistry(name string, info engine.ImageInfo, auth engine.RegistryAuth) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.registry == nil {
		m.registry = map[string]registryImage{}
	}
	m.registry[name] = registryImage{info, auth}
}

// Pull implements Registries.
func (m *Engine) Pull(ctx context.Context, name string, auth engine.RegistryAuth, progress func(string)) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if kept, ok := m.pushedImages[m.pushed[name]]; ok { // by digest, it gets no name here
			if m.registryDown != nil {
				return none, fmt.Errorf("cannot pull %s: %w", name, m.registryDown)
			}
			if m.image(kept.ID) == nil {
				m.images = append(m.images, &localImage{ImageInfo: kept.ImageInfo, app: kept.app, files: kept.files})
			}
			return none, nil
		}
		found, ok := m.registry[name]
		if !ok || found.auth.Secret != "" && (found.auth.User != auth.User || found.auth.Secret != auth.Secret) {
			return none, fmt.Errorf("cannot pull %s: the registry does not have it, or a login is missing", name)
		}
		i := m.image(found.ID)
		if i == nil {
			i = &localImage{ImageInfo: found.ImageInfo}
			m.images = append(m.images, i)
		}
		m.moveTag(i, name)
		return none, nil
	}, "Pull", name)
	return err
}

// RegistryDown makes calls to registries fail with a reason; nil: they answer.
func (m *Engine) RegistryDown(reason error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.registryDown = reason
}

// Pushed returns the names that Push was called with and those by digest that it has
// returned, and the ids of their images.
func (m *Engine) Pushed() map[string]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.pushed)
}

// Push implements Registries. A name by digest has the image's id.
func (m *Engine) Push(ctx context.Context, id, name string, auth engine.RegistryAuth, progress func(string)) (string, error) {
	return call(ctx, m, func() (string, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.registryDown != nil {
			return "", fmt.Errorf("cannot push %s: %w", name, m.registryDown)
		}
		i := m.image(id)
		if i == nil {
			return "", fmt.Errorf("cannot push %s: %w (%s)", name, engine.ErrNoImage, id)
		}
		byDigest := name[:max(strings.LastIndex(name, ":"), 0)] + "@sha256:" + strings.TrimPrefix(i.ID, "sha256:")
		if m.pushed == nil {
			m.pushed, m.pushedImages = map[string]string{}, map[string]localImage{}
		}
		m.pushed[byDigest], m.pushed[name] = i.ID, i.ID
		m.pushedImages[i.ID] = *i
		return byDigest, nil
	}, "Push", id, name)
}

// Login implements Registries.
func (m *Engine) Login(ctx context.Context, auth engine.RegistryAuth) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.registryDown != nil {
			return none, fmt.Errorf("cannot log in to %s: %w", auth.Server, m.registryDown)
		}
		if auth.Secret == "" {
			return none, nil // it answers
		}
		for _, i := range m.registry {
			if i.auth == auth {
				return none, nil
			}
		}
		return none, fmt.Errorf("cannot log in to %s: the registry knows no such user", auth.Server)
	}, "Login", auth.Server)
	return err
}
