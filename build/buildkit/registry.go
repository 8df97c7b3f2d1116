package buildkit

import (
	"context"

	registrytypes "github.com/docker/docker/api/types/registry"

	"dokku/build/registry"
)

// RegistryAuth returns the login for an image's registry in the form in which the engine
// takes it for a pull; "" when there is none. folders are those of registry.Find.
func RegistryAuth(ctx context.Context, folders []string, image string) (string, error) {
	host, err := registry.ServerOf(image)
	if err != nil {
		return "", err
	}
	found, err := registry.Find(ctx, folders, host)
	if err != nil || found.Secret == "" {
		return "", err
	}
	a := registrytypes.AuthConfig{Username: found.User, Password: found.Secret, ServerAddress: host}
	if found.User == "" {
		a.Password, a.IdentityToken = "", found.Secret
	}
	return registrytypes.EncodeAuthConfig(a)
}

// Advise adds to an engine's or registry's message what helps, where the message is of a
// known kind.
func Advise(message string) string { return advise(message) }
