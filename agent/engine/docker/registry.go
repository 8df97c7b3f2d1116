package docker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	registrytypes "github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/client"

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
	login, err := EncodedLogin(auth)
	if err != nil {
		return err
	}
	err = registry.Pull(ctx, cli, name, login, func(p registry.Pulled) {
		if p.Status != "" && progress != nil {
			progress(plain(p.Status))
		}
	})
	return d.explain(ctx, err)
}

// Push implements Registries.
func (d *Engine) Push(ctx context.Context, id, name string, auth engine.RegistryAuth, progress func(string)) (string, error) {
	byDigest, err := d.push(ctx, id, name, auth, progress)
	if err != nil {
		return "", fmt.Errorf("cannot push %s: %w", name, err)
	}
	return byDigest, nil
}

func (d *Engine) push(ctx context.Context, id, name string, auth engine.RegistryAuth, progress func(string)) (byDigest string, err error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return "", err
	}
	login, err := EncodedLogin(auth)
	if err != nil {
		return "", err
	}
	repository := name[:max(strings.LastIndex(name, ":"), 0)]
	had, err := cli.ImageInspect(ctx, id)
	if err != nil {
		return "", d.explain(ctx, err)
	}
	if had.Config != nil {
		forgetPushes(ctx, cli, repository, had.Config.Labels[engine.LabelApp])
	}
	if !slices.Contains(had.RepoTags, name) {
		if err := cli.ImageTag(ctx, id, name); err != nil {
			return "", d.explain(ctx, err)
		}
		defer func() {
			c, cancel := engine.Settled(ctx, engine.QuickCall)
			defer cancel()
			_, failed := cli.ImageRemove(c, name, image.RemoveOptions{})
			if err == nil {
				err = d.explain(c, failed)
			}
		}()
	}
	digest, err := registry.Push(ctx, cli, name, login, func(p registry.Pulled) {
		if p.Status != "" && progress != nil {
			progress(plain(p.Status))
		}
	})
	return repository + "@" + digest, d.explain(ctx, err)
}

// forgetPushes takes the names away that killed pushes of the app have left: no image that
// has one would ever be removed.
func forgetPushes(ctx context.Context, cli *client.Client, repository, app string) {
	if app == "" {
		return
	}
	named, err := cli.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", repository+":*"), filters.Arg("label", engine.LabelApp+"="+app))})
	if err != nil {
		return // the push will say why
	}
	for _, i := range named {
		for _, tag := range i.RepoTags {
			_, err := strconv.Atoi(strings.TrimPrefix(tag, repository+":"))
			if err == nil && slices.ContainsFunc(i.RepoTags, func(other string) bool { return strings.HasPrefix(other, engine.TagPrefix+app+":") }) {
				cli.ImageRemove(ctx, tag, image.RemoveOptions{})
			}
		}
	}
}

// EncodedLogin returns a login as the engine takes it; "" if there is none.
func EncodedLogin(auth engine.RegistryAuth) (string, error) {
	if auth.Secret == "" {
		return "", nil
	}
	return registrytypes.EncodeAuthConfig(authConfig(auth))
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
