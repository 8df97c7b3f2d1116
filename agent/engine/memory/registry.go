package memory

import (
	"context"
	"fmt"

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

// Login implements Registries.
func (m *Engine) Login(ctx context.Context, auth engine.RegistryAuth) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, i := range m.registry {
			if i.auth == auth {
				return none, nil
			}
		}
		return none, fmt.Errorf("cannot log in to %s: the registry knows no such user", auth.Server)
	}, "Login", auth.Server)
	return err
}
