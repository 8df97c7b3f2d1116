package routing

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

var nginxCommands = slices.Concat([]cli.Spec{
	nginxReport.Spec("Show the app's nginx settings"),
	nginxSet(),
}, nginxViews)

var nginxProperties = cli.Properties{
	Noun: "nginx", Role: cli.Operator, Changes: deploy.ChangesRoute,
	List:   nginxList(),
	Get:    func(st *app.State, name string) string { return st.Nginx[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Nginx, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Nginx.Properties },
	Store: func(c *cli.Call, change func(*app.Settings)) error {
		return c.Server.SetRoutes(c.Ctx, "nginx:set", c.Events(), change)
	},
}

func nginxSet() cli.Spec {
	s := nginxProperties.Spec("Set or unset an nginx setting")
	s.Use = "nginx:set APP KEY [VALUE...]"
	s.Example = "dokku nginx:set hello client-max-body-size 50m\ndokku nginx:set --global trusted-proxies 10.0.0.0/8"
	return s
}

// belowLogs refuses a log outside of nginx's folder for logs: root's nginx makes the file, and
// writes into it.
func belowLogs(name string) func(set app.Settings, path string) error {
	return func(set app.Settings, path string) error {
		if dir := set.Nginx.Logs(); path != proxy.Off && !strings.HasPrefix(path, dir+"/") {
			return cli.Refuse("Invalid %s specified: %q is not below %s", name, path, dir)
		}
		return nil
	}
}

// hostProperties name files, folders and addresses of the server, which others use too, as
// they do its disk and nginx's connections.
var hostProperties = []string{proxy.AccessLogPath, proxy.ErrorLogPath, "access-log-format", proxy.ErrorPages, "bind-address-ipv4", "bind-address-ipv6",
	proxy.LimitConn, proxy.MaxTempFile}

// nginxList has the properties of Dokku 0.38, and those of this program, sorted.
func nginxList() []cli.Property {
	list := []cli.Property{
		{Name: "client-max-body-size", Default: "1m", Check: proxy.CheckSize},
		{Name: app.NginxNoCustomConfig, Default: "false", Admin: true, // the files are root's
			Check: oneOf(app.NginxNoCustomConfig, "true", "false")},
		{Name: app.NginxTemplate, Default: app.DefaultNginxTemplate, Check: checkTemplate,
			Note: "Templates are not rendered here: a push says which nginx:set does what the file asks for"},
		{Name: "nginx-service-command", Check: func(string) error { return nil },
			Inert: "nginx is never started or stopped from here; the key nginx.reload in server.json names the command that reloads it"},
		{Name: "proxy-read-timeout", Default: "60s", Check: checkTimeout("proxy-read-timeout")},
		{Name: "proxy-send-timeout", Default: "60s", Check: checkTimeout("proxy-send-timeout")},
		{Name: app.NginxTrusted, OnlyServer: true, Check: func(value string) error {
			_, err := proxy.ParsePrefixes(value)
			if err != nil {
				return cli.Refuse("Invalid %s specified: %s", app.NginxTrusted, err)
			}
			return nil
		}},
		{Name: app.NginxUnknown, OnlyServer: true, Default: "page", Check: oneOf(app.NginxUnknown, "page", "default-site")},
	}
	for _, p := range proxy.Properties {
		q := cli.Property{Name: p.Name, Default: p.Default, Check: p.Check, Admin: slices.Contains(hostProperties, p.Name)}
		switch p.Name {
		case proxy.ErrorPages:
			q.Reads = checkPages
		case proxy.AccessLogPath, proxy.ErrorLogPath:
			q.Within = belowLogs(p.Name)
		}
		list = append(list, q)
	}
	for i := range list {
		list[i].Bounded = checkNginxBound
	}
	slices.SortFunc(list, func(a, b cli.Property) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// checkNginxBound refuses an operator what all apps' nginx would have to hold.
func checkNginxBound(c *cli.Call, name, value string) error {
	set, err := c.Settings()
	if err != nil || value == "" {
		return err
	}
	if err := proxy.CheckBounded(name, value, set.Nginx.Properties[name]); err != nil {
		return cli.Refuse("Invalid %s specified: %w: dokku nginx:set %[3]s %[1]s %[4]s", name, err, c.App.Name, event.OneLine(value))
	}
	return nil
}

func oneOf(name string, words ...string) func(string) error {
	return func(value string) error { return cli.OneOf(name, value, words...) }
}

// checkTemplate takes a path in a repository.
func checkTemplate(value string) error {
	if filepath.IsLocal(value) && filepath.Clean(value) == value && value != "." {
		return nil
	}
	return cli.Refuse("Invalid %s specified: %q is not a path in the repository, such as %s", app.NginxTemplate, event.OneLine(value), app.DefaultNginxTemplate)
}

// checkPages refuses a folder that nginx's workers, which run as another user, cannot
// read: they would answer with the built-in page without a word.
func checkPages(dir string) error {
	for path := dir; ; path = filepath.Dir(path) {
		fi, err := os.Stat(path)
		switch {
		case err != nil:
			return cli.Refuse("Invalid error-pages specified: cannot read %s: %s", path, err)
		case !fi.IsDir():
			return cli.Refuse("Invalid error-pages specified: %s is not a folder", path)
		case fi.Mode().Perm()&0o001 == 0:
			return cli.Refuse("Invalid error-pages specified: nginx's workers cannot enter %s: chmod o+x %[1]s, or use a folder below /var/lib/dokku/data", path)
		case path == "/":
			return nil
		}
	}
}

// checkTimeout returns a check for a time in nginx's form: 60, 60s, 10m.
func checkTimeout(name string) func(string) error {
	return func(value string) error {
		d, err := proxy.ParseTime(value)
		if err != nil || d < time.Second || d > 24*time.Hour {
			return cli.Refuse("Invalid %s specified: %q is not a time from 1s to 24h, such as 90s", name, event.OneLine(value))
		}
		return nil
	}
}

var nginxReport = cli.Reporter{
	Noun: "nginx",
	Keys: cli.Sorted(nginxProperties.Keys()),
	Own:  []string{"error-pages", "https-redirect", "limit-conn", "limit-req", "limit-req-burst", "nginx-service-command", "proxy-keepalive", "proxy-max-temp-file-size", "trusted-proxies", "unknown-names"},
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		values := nginxProperties.Global(set)
		// Dokku has no computed values here, and its clients take each key for a property.
		maps.DeleteFunc(values, func(key, _ string) bool { return strings.Contains(key, "-computed-") })
		return values, err
	},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		v, err := c.View(a)
		if err != nil {
			return nil, err
		}
		values := map[string]string{}
		nginxProperties.Report(values, &a.State, v.Settings)
		for _, kind := range []string{"access", "error"} {
			values["nginx-computed-"+kind+"-log-path"] = v.NginxLog(kind)
			if values["nginx-origin-"+kind+"-log-path"] == "" {
				values["nginx-origin-"+kind+"-log-path"] = "default"
			}
		}
		return values, nil
	},
}
