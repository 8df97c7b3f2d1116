package deploy

import (
	"context"
	"fmt"
	"slices"

	"dokku/agent/engine"
)

func SharedNetworks(ctx context.Context, host engine.Networks) ([]engine.NetworkInfo, error) {
	all, err := host.AllNetworks(ctx)
	return slices.DeleteFunc(all, func(n engine.NetworkInfo) bool { return n.App != "" }), err
}

func Joinable(ctx context.Context, host engine.Networks, names []string) error {
	all, err := SharedNetworks(ctx, host)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(all, func(n engine.NetworkInfo) bool { return n.Name == name }) {
			return &NoNetworkError{name}
		}
	}
	return nil
}

// NoNetworkError says that the engine has no such network.
type NoNetworkError struct{ Name string }

func (e *NoNetworkError) Error() string {
	return fmt.Sprintf("Network %s does not exist: make it with network:create %[1]s", e.Name)
}
