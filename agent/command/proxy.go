package command

import (
	"strconv"

	"dokku/agent"
)

var proxyCommands = []spec{
	{
		use: "proxy:disable APP", short: "Bind web to a port of the host instead",
		long: "The app keeps its port. Deploys have a short gap then, since a port cannot be held twice.",
		run:  func(c *call) error { return c.setProxy(false) },
	},
	{
		use: "proxy:enable APP", short: "Reach web through the proxy",
		run: func(c *call) error { return c.setProxy(true) },
	},
	proxyReport.spec("Show how the app's web is reached"),
}

func (c *call) setProxy(enabled bool) error {
	log := c.events().WithApp(c.app.Name)
	switch {
	case enabled != c.app.State.ProxyDisabled && enabled:
		log.Step("Proxy is already enabled for app (%s)", c.app.Name)
	case enabled != c.app.State.ProxyDisabled:
		log.Step("Proxy is already disabled for app (%s)", c.app.Name)
	case enabled:
		log.Step("Enabling proxy for app (%s)", c.app.Name)
	default:
		log.Step("Disabling proxy for app (%s)", c.app.Name)
	}
	return c.server.SetProxy(c.ctx, c.app.Name, enabled, log)
}

var proxyReport = reporter{
	noun: "proxy",
	keys: []string{"proxy-computed-type", "proxy-enabled", "proxy-host-port", "proxy-type"},
	collect: func(c *call, app *agent.App, _ string) (map[string]string, error) {
		port := ""
		if app.State.HostPort != 0 {
			port = strconv.Itoa(app.State.HostPort)
		}
		return map[string]string{
			"proxy-computed-type": "nginx",
			"proxy-enabled":       strconv.FormatBool(!app.State.ProxyDisabled),
			"proxy-host-port":     port,
			"proxy-type":          "nginx",
		}, nil
	},
}
