package dockerfile

import (
	"context"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/client"

	"dokku/build/buildkit"
)

// entitled refuses an image that the server has through another app's login to its registry, and that
// the registry does not give to this app. Builders ask the registry for what they lack alone: the
// engine takes a tag that it has, and all of them take a digest that another build has brought.
// A registry that does not answer refuses nothing, else no app could build while it is down.
func (g guard) entitled(ctx context.Context, cli *client.Client, u use) error {
	if g.request.Private == nil || !g.request.Private(u.image) {
		return nil
	}
	named, err := reference.ParseNormalizedNamed(u.image)
	if err != nil {
		return nil // the engine says so
	}
	if _, exact := named.(reference.Digested); !exact {
		image, err := cli.ImageInspect(ctx, u.image)
		if err != nil || !cameFrom(image.RepoDigests, named) {
			return nil
		}
	}
	auth, err := buildkit.RegistryAuth(ctx, g.request.Registries, u.image)
	if err != nil {
		return err
	}
	if _, err = cli.DistributionInspect(ctx, u.image, auth); !denied(err) {
		return nil
	}
	return g.refuse(u, "is no image that %s gives to %s; if it may have it: dokku registry:login %[2]s %[1]s USER", reference.Domain(named), g.request.App)
}

// cameFrom reports whether an image was pulled from a repository or pushed to it.
func cameFrom(digests []string, repository reference.Named) bool {
	for _, d := range digests {
		if named, err := reference.ParseNormalizedNamed(d); err == nil && named.Name() == repository.Name() {
			return true
		}
	}
	return false
}

// denied reports whether a registry refuses an image. Some say of those that are private that
// there are none, and engines pass on the registry's words as an error of their own.
func denied(err error) bool {
	if err == nil {
		return false
	}
	if errdefs.IsUnauthorized(err) || errdefs.IsPermissionDenied(err) || errdefs.IsNotFound(err) {
		return true
	}
	text := strings.ToLower(err.Error())
	return slices.ContainsFunc([]string{"unauthorized", "denied", "no basic auth", "authentication required"}, func(phrase string) bool { return strings.Contains(text, phrase) })
}
