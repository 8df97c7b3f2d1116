package cli

import (
	"encoding/json"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/scale"
)

// Settings returns the server's settings. They are read once for a command line.
func (r *Runner) Settings() (app.Settings, error) {
	if r.settings == nil {
		set, err := r.Server.Env.Store.Settings()
		if err != nil {
			return set, err
		}
		r.settings = &set
	}
	return *r.settings, nil
}

// View returns an app together with the server's settings.
func (r *Runner) View(a *app.App) (app.View, error) {
	set, err := r.Settings()
	return app.View{App: a, Settings: set}, err
}

// Engine returns the engine that the server's settings name.
func (r *Runner) Engine() (engine.Host, error) {
	set, err := r.Settings()
	if err != nil {
		return nil, err
	}
	return r.Server.Env.Engine(set)
}

// Formation returns the desired number of processes of each type.
func (r *Runner) Formation(app *app.App) (scale.Formation, error) {
	v, err := r.View(app)
	if err != nil {
		return nil, err
	}
	return v.Formation()
}

// PrintJSON prints a value in one line.
func (c *Call) PrintJSON(v any) error {
	data, err := json.Marshal(v)
	if err == nil {
		c.Print("%s\n", event.PrintableJSON(data))
	}
	return err
}

// Instances returns the containers of the app's current release, sorted by name.
func (c *Call) Instances(app *app.App) ([]engine.Instance, error) {
	v, err := c.View(app)
	if err != nil {
		return nil, err
	}
	return c.Server.Env.InstancesOf(c.Ctx, v)
}
