package command

import (
	"time"

	"dokku/agent"
	"dokku/agent/checks"
	"dokku/agent/proxy"
)

var nginxCommands = []spec{
	nginxReport.spec("Show the app's nginx settings"),
	nginxProperties.spec("Set or unset an nginx setting"),
}

var nginxProperties = properties{
	noun: "nginx",
	list: []property{
		{name: "client-max-body-size", fixed: "1m", check: proxy.CheckSize},
		{name: "proxy-read-timeout", fixed: "60s", check: checkTimeout("proxy-read-timeout")},
		{name: "proxy-send-timeout", fixed: "60s", check: checkTimeout("proxy-send-timeout")},
	},
	get:    func(st *agent.State, name string) string { return st.Nginx[name] },
	put:    func(st *agent.State, name, value string) { put(&st.Nginx, name, value) },
	server: func(set *agent.Settings) *map[string]string { return &set.Nginx.Properties },
}

// checkTimeout accepts what nginx does: 60, 60s, 10m.
func checkTimeout(name string) func(string) error {
	return func(value string) error {
		d, err := checks.ParseDuration(value)
		if err != nil || d < time.Second || d > 24*time.Hour {
			return refuse("Invalid %s specified: %q is not a time from 1s to 24h, such as 90s", name, oneLine(value))
		}
		return nil
	}
}

var nginxReport = reporter{
	noun: "nginx",
	keys: sorted(nginxProperties.keys()),
	collect: func(c *call, app *agent.App, _ string) (map[string]string, error) {
		set, err := c.server.Settings()
		if err != nil {
			return nil, err
		}
		values := map[string]string{}
		nginxProperties.report(values, &app.State, set)
		return values, nil
	},
}
