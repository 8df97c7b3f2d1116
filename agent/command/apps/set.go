package apps

import (
	"dokku/agent/app"
	"dokku/agent/command/cli"
)

const noAutoCreate = "disable-autocreation"

// Values of apps:report that Dokku does not have.
const (
	ownQuota      = "app-" + app.PropDiskQuota
	globalQuota   = "app-global-" + app.PropDiskQuota
	computedQuota = "app-computed-" + app.PropDiskQuota
	diskUse       = "app-disk-use"

	quota, noQuota = app.PropDiskQuota, app.DefaultDiskQuota
)

// appProperties are Dokku's. What a tool declares of an app's origin holds until the next
// release, which says by itself where it is from.
var appProperties = cli.Properties{
	Noun: "apps", Role: cli.Operator,
	List: []cli.Property{
		{Name: "deploy-source", OnlyApp: true, Check: anyText}, {Name: "deploy-source-metadata", OnlyApp: true, Check: anyText},
		{Name: noAutoCreate, OnlyServer: true, Check: func(value string) error {
			return cli.OneOf(noAutoCreate, value, "true", "false")
		}},
		{Name: app.PropDiskQuota, Default: app.DefaultDiskQuota, Admin: true, Check: app.CheckDiskQuota},
	},
	Get: func(st *app.State, name string) string { return st.Apps[name] },
	Put: func(st *app.State, name, value string) {
		if name == app.PropDiskQuota {
			cli.Put(&st.Apps, name, value)
			return
		}
		declare(st, name, value)
	},
	Server: func(set *app.Settings) *map[string]string { return &set.Apps },
	Store: func(c *cli.Call, change func(*app.Settings)) error {
		return c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error {
			if c.Args[0] == noAutoCreate {
				set.NoAutoCreate = len(c.Args) > 1 && c.Args[1] == "true"
				return nil
			}
			change(set)
			return nil
		})
	},
}

// declared is what was said of the current release.
func declared(st *app.State) (d app.Declared) {
	if st.Declared != nil && st.Declared.Release == st.Current {
		d = *st.Declared
	}
	return d
}

func declare(st *app.State, name, value string) {
	d := declared(st)
	d.Release = st.Current
	switch name {
	case "deploy-source":
		d.Source = value
	case sourceImage:
		d.Image = value
	default:
		d.Metadata = value
	}
	if st.Declared = &d; d.Source == "" && d.Metadata == "" && d.Image == "" {
		st.Declared = nil
	}
}

func anyText(string) error { return nil }

// globalApps are the values of the server.
func globalApps(c *cli.Call) (map[string]string, error) {
	set, err := c.Settings()
	values := map[string]string{"app-global-" + noAutoCreate: ""}
	if set.NoAutoCreate {
		values["app-global-"+noAutoCreate] = "true"
	}
	values[globalQuota] = set.Apps[app.PropDiskQuota]
	return values, err
}
