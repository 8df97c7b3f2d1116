package agent

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
)

var networkPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)

// ValidNetworkName returns an error unless the engine takes name for a network,
// and an app may join it.
func ValidNetworkName(name string) error {
	switch {
	case !networkPattern.MatchString(name):
		return fmt.Errorf("%q is not the name of a network: it needs letters, digits, _, . and -, and begins with a letter or digit", name)
	case slices.Contains([]string{"host", "bridge", "none", "default"}, name):
		return fmt.Errorf("%s is a network of the engine's own, without names", name)
	case strings.HasPrefix(name, engine.NetworkName("")):
		return fmt.Errorf("%s is the name of an app's own network, which nobody else joins: make one for both with network:create", name)
	}
	return nil
}

// Networks lists all networks that are not an app's own.
func (s *Server) Networks(ctx context.Context) ([]engine.NetworkInfo, error) {
	host, err := s.Host()
	if err != nil {
		return nil, err
	}
	return deploy.SharedNetworks(ctx, host)
}

// Joinable returns an error unless all of the networks exist; *NoNetworkError
// names the first that does not.
func (s *Server) Joinable(ctx context.Context, names []string) error {
	host, err := s.Host()
	if err != nil {
		return err
	}
	return deploy.Joinable(ctx, host, names)
}

// CreateNetwork makes a network that apps, and any other container, can join.
func (s *Server) CreateNetwork(ctx context.Context, name string) error {
	host, err := s.Host()
	if err != nil {
		return err
	}
	_, err = host.CreateNetwork(ctx, name)
	return err
}

// DestroyNetwork removes a network that CreateNetwork, or Dokku, has made. One
// that an app asks for, or that a container is in, running or not, stays.
func (s *Server) DestroyNetwork(ctx context.Context, name string) error {
	all, err := s.Networks(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(all, func(n engine.NetworkInfo) bool { return n.Name == name })
	switch {
	case at < 0:
		return &deploy.NoNetworkError{Name: name}
	case !all[at].Managed:
		//lint:ignore ST1005 a message of network:destroy
		return fmt.Errorf("Network %s was not made by network:create: remove it where it was made (docker network rm %[1]s)", name)
	}
	users, err := s.networkUsers(name)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		//lint:ignore ST1005 a message of network:destroy
		return fmt.Errorf("Network %s is in use by %s: take it away with network:set first", name, strings.Join(users, ", "))
	}
	host, err := s.Host()
	if err != nil {
		return err
	}
	err = host.Remove(ctx, engine.Resource{Kind: engine.NetworkKind, ID: all[at].ID})
	if errors.Is(err, engine.ErrInUse) {
		return fmt.Errorf("%w: stop and remove them first, or restart the apps that do not ask for it any longer (ps:restart)", err)
	}
	return err
}

// networkUsers says who asks for a network: apps, with their next release or the
// one that runs, and the server's settings.
func (s *Server) networkUsers(name string) ([]string, error) {
	set, err := s.Env.Store.Settings()
	if err != nil {
		return nil, err
	}
	asks := func(properties map[string]string) bool {
		return slices.ContainsFunc(app.NetworkLists, func(p string) bool { return slices.Contains(app.SplitNetworks(properties[p]), name) })
	}
	var users []string
	if asks(set.Network) {
		users = append(users, "all apps (--global)")
	}
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return nil, err
	}
	for _, app := range apps {
		a, err := s.Env.Store.Load(app)
		if err != nil {
			return nil, err
		}
		if asks(a.State.Network) || a.Deployed() && slices.Contains(a.Current.Networks, name) {
			users = append(users, "app "+app)
		}
	}
	return users, nil
}
