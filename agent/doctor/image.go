package doctor

import (
	"context"
	"errors"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// checkImage reports an image that the current release needs and the engine does not
// have: somebody removed it, or the engine was switched to another kind of image store,
// which lists none of the old images. Only a build brings it back.
func (d *examination) checkImage(ctx context.Context, host engine.Host, a *app.App) (missing bool, list []Finding) {
	if a.Current == nil {
		return false, nil
	}
	_, err := host.Image(ctx, a.Current.Image)
	if !errors.Is(err, engine.ErrNoImage) {
		return false, nil // whatever else it is, checkEngine tells
	}
	return true, []Finding{wrong("image", HealthProblem, rebuild(a.Name), "the engine does not have the image of v%d (%s)",
		a.Current.Number, engine.Short(a.Current.Image))}
}

// rebuild is the command that makes an app's image again.
func rebuild(app string) string { return "dokku ps:rebuild " + app }
