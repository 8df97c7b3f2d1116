package container

import (
	"context"
	"fmt"
	"strings"

	"github.com/docker/docker/client"
)

// explain says what could not be done, and why. A caller that went away is the reason
// where it did.
func explain(ctx context.Context, what string, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	case client.IsErrConnectionFailed(err):
		return fmt.Errorf("%s: %w; start it (systemctl start docker) and push again", what, err)
	}
	return fmt.Errorf("%s: %s", what, plain(err))
}

// plain is an error's text without the engine's decoration.
func plain(err error) string {
	return strings.TrimSpace(strings.TrimPrefix(err.Error(), "Error response from daemon: "))
}
