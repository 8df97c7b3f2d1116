package routing

import (
	"strconv"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

var proxyCommands = []cli.Spec{
	{
		Use: "proxy:disable APP", Short: "Bind web to a port of the host instead of the proxy",
		Long: "The app keeps this port. Each deploy then has a short gap, since two processes cannot hold the same port.",
		Run:  func(c *cli.Call) error { return setProxy(c, false) },
	},
	{
		Use: "proxy:enable APP", Short: "Route requests to web through the proxy",
		Run: func(c *cli.Call) error { return setProxy(c, true) },
	},
	proxyReport.Spec("Show whether the app is behind the proxy, and its port"),
	proxySet(),
}

var proxyProperties = cli.Properties{
	Noun: "proxy",
	List: []cli.Property{{Name: "type", Default: "nginx", Check: func(value string) error {
		if value != "nginx" {
			return cli.Refuse("Invalid type specified: %q, the only supported proxy is nginx", event.OneLine(value))
		}
		return nil
	}}},
	Get:    func(st *app.State, name string) string { return st.Proxy[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Proxy, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Proxy },
}

// proxySet also takes "proxy:set APP nginx", the form of older versions of Dokku.
func proxySet() cli.Spec {
	s := proxyProperties.Spec("Set or unset the kind of proxy")
	set := s.Run
	s.Run = func(c *cli.Call) error {
		if len(c.Args) == 1 && c.Args[0] == "nginx" {
			c.Args = []string{"type", "nginx"}
		}
		return set(c)
	}
	return s
}

func setProxy(c *cli.Call, enabled bool) error {
	log := c.Events().WithApp(c.App.Name)
	switch {
	case enabled != c.App.State.ProxyDisabled && enabled:
		log.Step("Proxy is already enabled for app (%s)", c.App.Name)
	case enabled != c.App.State.ProxyDisabled:
		log.Step("Proxy is already disabled for app (%s)", c.App.Name)
	case enabled:
		log.Step("Enabling proxy for app (%s)", c.App.Name)
	default:
		log.Step("Disabling proxy for app (%s)", c.App.Name)
	}
	return c.Server.SetProxy(c.Ctx, c.App.Name, enabled, log)
}

var proxyReport = cli.Reporter{
	Noun: "proxy",
	Own:  []string{"host-port"},
	Keys: cli.Sorted(append(proxyProperties.Keys(), "proxy-enabled", "proxy-host-port")),
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return proxyProperties.Global(set), err
	},
	Collect: func(c *cli.Call, app *app.App, _ string) (map[string]string, error) {
		set, err := c.Settings()
		if err != nil {
			return nil, err
		}
		port := ""
		if app.State.HostPort != 0 {
			port = strconv.Itoa(app.State.HostPort)
		}
		values := map[string]string{"proxy-enabled": strconv.FormatBool(!app.State.ProxyDisabled), "proxy-host-port": port}
		proxyProperties.Report(values, &app.State, set)
		return values, nil
	},
}
