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

// ValidNetworkName returns an error unless name can be a network of the engine that
// apps may join.
func ValidNetworkName(name string) error {
	switch {
	case !networkPattern.MatchString(name):
		return fmt.Errorf("%q is not the name of a network: it needs letters, digits, _, . and -, and begins with a letter or digit", name)
	case slices.Contains([]string{"host", "bridge", "none", "default"}, name):
		return fmt.Errorf("%s is one of the engine's built-in networks, which have no names", name)
	case strings.HasPrefix(name, engine.NetworkName("")):
		return fmt.Errorf("%s is the private network of an app: create a shared network with network:create", name)
	}
	return nil
}

// Networks lists the engine's networks, except the private ones of apps.
func (s *Server) Networks(ctx context.Context) ([]engine.NetworkInfo, error) {
	host, err := s.Host()
	if err != nil {
		return nil, err
	}
	return deploy.SharedNetworks(ctx, host)
}

// Joinable returns a *deploy.NoNetworkError for the first of the networks that does
// not exist.
func (s *Server) Joinable(ctx context.Context, names []string) error {
	host, err := s.Host()
	if err != nil {
		return err
	}
	return deploy.Joinable(ctx, host, names)
}

// CreateNetwork creates a network that apps and other containers can join. An existing
// one is engine.ErrNetworkExists.
func (s *Server) CreateNetwork(ctx context.Context, name string) error {
	host, err := s.Host()
	if err != nil {
		return err
	}
	_, err = host.CreateNetwork(ctx, name)
	return err
}

// DestroyNetwork removes a network that CreateNetwork or Dokku made. It refuses a
// network that an app's settings name, or that a container has joined.
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
		return fmt.Errorf("Network %s was not made by network:create: remove it with the tool that made it (docker network rm %[1]s)", name)
	}
	users, err := s.networkUsers(name)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		//lint:ignore ST1005 a message of network:destroy
		return fmt.Errorf("Network %s is in use by %s: remove it from their settings with network:set first", name, strings.Join(users, ", "))
	}
	host, err := s.Host()
	if err != nil {
		return err
	}
	err = host.Remove(ctx, engine.Resource{Kind: engine.NetworkKind, ID: all[at].ID})
	if errors.Is(err, engine.ErrInUse) {
		return fmt.Errorf("%w: stop and remove them first, or restart the apps whose settings no longer name it (ps:restart)", err)
	}
	return err
}

// networkUsers lists the users of a network: the apps whose settings or current
// release name it, and the server's settings.
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
