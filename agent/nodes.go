package agent

import (
	"context"

	"dokku/agent/engine"
	"dokku/build/registry"
)

// RenewNodeService gives the nodes of the swarm the program of this version, if they run an
// older one. Without a swarm nothing happens.
func (s *Server) RenewNodeService(ctx context.Context) error {
	host, err := s.Host()
	if err != nil {
		return err
	}
	return host.RenewNodeService(ctx, func(server string) (engine.RegistryAuth, error) { return s.login(ctx, server) })
}

// login finds the server's login to a registry, or that of any app.
func (s *Server) login(ctx context.Context, server string) (engine.RegistryAuth, error) {
	folders := []string{s.Env.Store.DockerConfig()}
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return engine.RegistryAuth{}, err
	}
	for _, name := range apps {
		folders = append(folders, s.Env.Store.Registries(name)[0])
	}
	l, err := registry.Find(ctx, append(folders, ""), server)
	return engine.RegistryAuth{Server: server, User: l.User, Secret: l.Secret}, err
}
