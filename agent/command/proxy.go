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
	proxyProperties.spec("Set or unset the kind of proxy"),
}

var proxyProperties = properties{
	noun: "proxy",
	list: []property{{name: "type", fixed: "nginx", check: func(value string) error {
		if value != "nginx" {
			return refuse("Invalid type specified: %q, the only proxy that is supported is nginx", oneLine(value))
		}
		return nil
	}}},
	get:    func(st *agent.State, name string) string { return st.Proxy[name] },
	put:    func(st *agent.State, name, value string) { put(&st.Proxy, name, value) },
	server: func(set *agent.Settings) *map[string]string { return &set.Proxy },
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
	keys: sorted(append(proxyProperties.keys(), "proxy-enabled", "proxy-host-port")),
	collect: func(c *call, app *agent.App, _ string) (map[string]string, error) {
		set, err := c.server.Settings()
		if err != nil {
			return nil, err
		}
		port := ""
		if app.State.HostPort != 0 {
			port = strconv.Itoa(app.State.HostPort)
		}
		values := map[string]string{"proxy-enabled": strconv.FormatBool(!app.State.ProxyDisabled), "proxy-host-port": port}
		proxyProperties.report(values, &app.State, set)
		return values, nil
	},
}
