package docker

import (
	"context"
	"fmt"

	registrytypes "github.com/docker/docker/api/types/registry"

	"dokku/agent/engine"
	"dokku/build/registry"
)

// Pull implements Registries.
func (d *Engine) Pull(ctx context.Context, name string, auth engine.RegistryAuth, progress func(string)) error {
	err := d.pull(ctx, name, auth, progress)
	if err != nil {
		return fmt.Errorf("cannot pull %s: %w", name, err)
	}
	return nil
}

func (d *Engine) pull(ctx context.Context, name string, auth engine.RegistryAuth, progress func(string)) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	var login string
	if auth.Secret != "" {
		if login, err = registrytypes.EncodeAuthConfig(authConfig(auth)); err != nil {
			return err
		}
	}
	err = registry.Pull(ctx, cli, name, login, func(p registry.Pulled) {
		if p.Status != "" && progress != nil {
			progress(plain(p.Status))
		}
	})
	return d.explain(ctx, err)
}

// Login implements Registries.
func (d *Engine) Login(ctx context.Context, auth engine.RegistryAuth) error {
	cli, err := d.connect(ctx)
	if err == nil {
		if _, err = cli.RegistryLogin(ctx, authConfig(auth)); err != nil {
			err = d.explain(ctx, err)
		}
	}
	if err != nil {
		return fmt.Errorf("cannot log in to %s: %w", auth.Server, err)
	}
	return nil
}

func authConfig(a engine.RegistryAuth) registrytypes.AuthConfig {
	if a.User == "" {
		return registrytypes.AuthConfig{ServerAddress: a.Server, IdentityToken: a.Secret}
	}
	return registrytypes.AuthConfig{ServerAddress: a.Server, Username: a.User, Password: a.Secret}
}
