package buildkit

import (
	"context"

	"github.com/moby/buildkit/session/auth"
	"google.golang.org/grpc"

	"dokku/build/registry"
)

// credentials answers the engine's question for a registry's password from Docker's own
// config.json. buildkit's own provider would add the containerd resolver and the docker
// CLI's configuration to the binary; the engine falls back to this one call when the
// others are not implemented.
type credentials struct {
	auth.UnimplementedAuthServer
	folders []string
}

// Register serves the credentials on a session.
func (c *credentials) Register(s *grpc.Server) { auth.RegisterAuthServer(s, c) }

// Credentials returns the user and the password for a registry, empty when
// there are none.
func (c *credentials) Credentials(ctx context.Context, r *auth.CredentialsRequest) (*auth.CredentialsResponse, error) {
	l, err := registry.Find(ctx, c.folders, r.Host)
	if err != nil {
		return &auth.CredentialsResponse{}, err
	}
	return &auth.CredentialsResponse{Username: l.User, Secret: l.Secret}, nil
}
