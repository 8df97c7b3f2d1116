package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/store"
	"dokku/build/dockerfile"
	"dokku/build/registry"
)

// Login checks a user's password at a registry and stores it: for an app, or for all apps
// if the app is "".
func (i *Importer) Login(ctx context.Context, name, server string, l registry.Login) error {
	key, err := registry.Key(server)
	if err != nil {
		return err
	}
	if i.Bounded {
		if err := i.checkRegistry(ctx, name, key); err != nil {
			return err
		}
	}
	host, err := i.Server.Host()
	if err != nil {
		return err
	}
	if err := host.Login(ctx, engine.RegistryAuth{Server: server, User: l.User, Secret: l.Secret}); err != nil {
		return err
	}
	return i.changeLogins(ctx, name, func(data []byte) ([]byte, error) { return registry.With(data, server, l) })
}

// checkRegistry refuses a registry that is this server's alone, as builds are refused its images: the engine
// would ask it, and its answer tell what listens there.
func (i *Importer) checkRegistry(ctx context.Context, name, key string) error {
	v, err := i.Server.View(name)
	if err != nil {
		return err
	}
	if dockerfile.AsksHere(ctx, key, v.BuildHosts()) {
		return fmt.Errorf("the engine would ask %s, an address of this server alone; to allow it, on the server: dokku builder-dockerfile:set --global allowed-hosts %[1]s", key)
	}
	return nil
}

// Logout removes the login at a registry of an app, or that of all apps if the app is "".
func (i *Importer) Logout(ctx context.Context, name, server string) error {
	return i.changeLogins(ctx, name, func(data []byte) ([]byte, error) {
		changed, ok, err := registry.Without(data, server)
		if err == nil && !ok {
			return nil, errNoLogin
		}
		return changed, err
	})
}

var errNoLogin = errors.New("it has no login for this registry: dokku registry:report shows those that there are")

// changeLogins changes the file with the logins of an app, under the app's lock, or of
// the server.
func (i *Importer) changeLogins(ctx context.Context, name string, change func([]byte) ([]byte, error)) error {
	st := i.Server.Env.Store
	path := filepath.Join(st.DockerConfig(), registry.ConfigFile)
	replace := func() error {
		if err := st.ChangeFile(ctx, path, change); err != nil {
			return fmt.Errorf("cannot change %s: %w", path, err)
		}
		return nil
	}
	if name == "" {
		return replace()
	}
	path = st.File(name, store.RegistryDir, registry.ConfigFile)
	return i.Server.Env.With(ctx, name, deploy.Op{Name: "registry:login"}, event.Log{}, func(*deploy.Session) error { return replace() })
}

// Logins returns the registries that an app, or the server if the app is "", has its own
// login for.
func (i *Importer) Logins(name string) ([]string, error) {
	st := i.Server.Env.Store
	path := filepath.Join(st.DockerConfig(), registry.ConfigFile)
	if name != "" {
		path = st.File(name, store.RegistryDir, registry.ConfigFile)
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	servers, err := registry.Servers(data)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return servers, nil
}
