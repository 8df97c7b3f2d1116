package routing

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

var proxyCommands = []cli.Spec{
	{
		Use: "proxy:build-config APP", Role: cli.Operator, Short: "Write the app's nginx configuration again",
		Long:  "Each change of a route does so by itself. nginx reloads, and no request is lost.\n" + aboutAll,
		Flags: allFlags, Run: buildConfig,
	},
	{
		Use: "proxy:disable APP", Role: cli.Operator, Short: "Bind web to a port of the host instead of the proxy",
		Long: "The app keeps this port. Each deploy then has a short gap, since two processes cannot hold the same port.\n" +
			aboutAll,
		Flags: allFlags, Run: func(c *cli.Call) error { return setProxies(c, false) },
	},
	{
		Use: "proxy:enable APP", Role: cli.Operator, Short: "Route requests to web through the proxy", Long: aboutAll,
		Flags: allFlags, Run: func(c *cli.Call) error { return setProxies(c, true) },
	},
	proxyReport.Spec("Show whether the app is behind the proxy, and its port"),
	proxySet(),
}

var proxyProperties = cli.Properties{
	Noun: "proxy", Role: cli.Operator,
	List: []cli.Property{
		{Name: "proxy-port", Instead: "dokku ports:set APP http:PORT:CONTAINER_PORT"},
		{Name: "proxy-ssl-port", Instead: "dokku ports:add APP https:PORT:CONTAINER_PORT"},
		{Name: "type", Default: "nginx", Check: func(value string) error {
			if !slices.Contains(proxyTypes, value) {
				return cli.Refuse("Invalid type specified: %q, use one of: %s", event.OneLine(value), strings.Join(proxyTypes, ", "))
			}
			return nil
		}},
	},
	Get:    func(st *app.State, name string) string { return st.Proxy[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Proxy, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Proxy },
}

// proxyTypes are Dokku's proxies. All but nginx are stored without effect, so that the declared
// state of a server that has another one can be applied: visitors are served all the same.
var proxyTypes = []string{"caddy", "haproxy", "nginx", "openresty", "traefik"}

// proxySet also takes "proxy:set APP nginx", the form of older versions of Dokku.
func proxySet() cli.Spec {
	s := proxyProperties.Spec("Set or unset the kind of proxy")
	set := s.Run
	s.Run = func(c *cli.Call) error {
		switch {
		case len(c.Args) == 1 && slices.Contains(proxyTypes, c.Args[0]):
			c.Args = []string{"type", c.Args[0]}
		case len(c.Args) == 1 && strings.Contains(c.Args[0], ":"):
			return cli.Refuse("Detected potential port mapping instead of proxy type: dokku ports:set %s %s", c.App.Name, event.OneLine(c.Args[0]))
		}
		if err := set(c); err != nil {
			return err
		}
		if len(c.Args) == 2 && c.Args[0] == "type" && c.Args[1] != "nginx" {
			c.Warn("type is stored, as Dokku stores it, and has no effect here: nginx is the proxy of all apps")
		}
		return nil
	}
	return s
}

const aboutAll = "--all works on all apps, one after the other: --parallel, which clients of Dokku give, changes nothing."

func allFlags(f *pflag.FlagSet) {
	f.Bool("all", false, "all apps")
	f.String("parallel", "1", "accepted, and without effect")
}

func checkParallel(c *cli.Call) error {
	if n, err := strconv.Atoi(c.Value("parallel")); err != nil || n == 0 || n < -1 {
		return cli.Refuse("Invalid value %s for --parallel flag", event.OneLine(c.Value("parallel")))
	}
	return nil
}

func buildConfig(c *cli.Call) error {
	if err := checkParallel(c); err != nil {
		return err
	}
	if c.App == nil {
		return eachApp(c, "build-config", (*agent.Server).PublishRoute)
	}
	log := c.Events().WithApp(c.App.Name)
	if !c.App.Served() {
		log.Step("App %s has not been deployed: it has no route", c.App.Name)
		return nil
	}
	return c.Server.PublishRoute(c.Ctx, c.App.Name, log)
}

// eachApp runs an operation on one app after the other, and goes on after an app's error.
func eachApp(c *cli.Call, verb string, do func(*agent.Server, context.Context, string, event.Log) error) error {
	apps, err := c.Apps()
	if err != nil {
		return err
	}
	var failed []string
	for _, name := range apps {
		if c.Ctx.Err() != nil {
			return c.Ctx.Err()
		}
		log := c.Events().WithApp(name)
		log.Step("Running %s against app %s", verb, name)
		if err := do(c.Server, c.Ctx, name, log); err != nil {
			log.Warn("%s", err)
			failed = append(failed, name)
		}
	}
	if len(failed) > 0 {
		return cli.Refuse("Unable to %s %d of %d apps: %s", verb, len(failed), len(apps), strings.Join(failed, ", "))
	}
	return nil
}

func setProxies(c *cli.Call, enabled bool) error {
	if err := checkParallel(c); err != nil {
		return err
	}
	if c.App != nil {
		return setProxy(c.Ctx, c.Server, c.App, enabled, c.Events().WithApp(c.App.Name))
	}
	verb := map[bool]string{true: "enable", false: "disable"}[enabled]
	return eachApp(c, verb, func(s *agent.Server, ctx context.Context, name string, log event.Log) error {
		a, err := s.Load(name)
		if err != nil {
			return err
		}
		return setProxy(ctx, s, a, enabled, log)
	})
}

func setProxy(ctx context.Context, s *agent.Server, a *app.App, enabled bool, log event.Log) error {
	switch {
	case enabled != a.State.ProxyDisabled && enabled:
		log.Step("Proxy is already enabled for app (%s)", a.Name)
	case enabled != a.State.ProxyDisabled:
		log.Step("Proxy is already disabled for app (%s)", a.Name)
	case enabled:
		log.Step("Enabling proxy for app (%s)", a.Name)
	default:
		log.Step("Disabling proxy for app (%s)", a.Name)
	}
	return s.SetProxy(ctx, a.Name, enabled, log)
}

var proxyReport = cli.Reporter{
	Noun:  "proxy",
	Aside: []string{"proxy-computed-disabled", "proxy-disabled", "proxy-host-port"},
	Keys:  cli.Sorted(append(proxyProperties.Keys(), "proxy-computed-disabled", "proxy-disabled", "proxy-enabled", "proxy-host-port")),
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
		values := map[string]string{"proxy-enabled": strconv.FormatBool(!app.State.ProxyDisabled), "proxy-host-port": port,
			"proxy-computed-disabled": strconv.FormatBool(app.State.ProxyDisabled), "proxy-disabled": ""}
		if app.State.ProxyDisabled {
			values["proxy-disabled"] = "true"
		}
		proxyProperties.Report(values, &app.State, set)
		return values, nil
	},
}
