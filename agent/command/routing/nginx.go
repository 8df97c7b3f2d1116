package routing

import (
	"time"

	"dokku/agent/app"
	"dokku/agent/checks"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

var nginxCommands = []cli.Spec{
	nginxReport.Spec("Show the app's nginx settings"),
	nginxProperties.Spec("Set or unset an nginx setting"),
}

var nginxProperties = cli.Properties{
	Noun: "nginx", Changes: deploy.ChangesRoute,
	List: []cli.Property{
		{Name: "client-max-body-size", Default: "1m", Check: proxy.CheckSize},
		{Name: "proxy-read-timeout", Default: "60s", Check: checkTimeout("proxy-read-timeout")},
		{Name: "proxy-send-timeout", Default: "60s", Check: checkTimeout("proxy-send-timeout")},
	},
	Get:    func(st *app.State, name string) string { return st.Nginx[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Nginx, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Nginx.Properties },
}

// checkTimeout returns a check for a time in nginx's form: 60, 60s, 10m.
func checkTimeout(name string) func(string) error {
	return func(value string) error {
		d, err := checks.ParseDuration(value)
		if err != nil || d < time.Second || d > 24*time.Hour {
			return cli.Refuse("Invalid %s specified: %q is not a time from 1s to 24h, such as 90s", name, event.OneLine(value))
		}
		return nil
	}
}

var nginxReport = cli.Reporter{
	Noun: "nginx",
	Keys: cli.Sorted(nginxProperties.Keys()),
	Collect: func(c *cli.Call, app *app.App, _ string) (map[string]string, error) {
		set, err := c.Settings()
		if err != nil {
			return nil, err
		}
		values := map[string]string{}
		nginxProperties.Report(values, &app.State, set)
		return values, nil
	},
}
