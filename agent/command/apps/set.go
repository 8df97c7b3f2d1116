package apps

import (
	"dokku/agent/app"
	"dokku/agent/command/cli"
)

const noAutoCreate = "disable-autocreation"

// appProperties are Dokku's. What a tool declares of an app's origin holds until the next
// release, which says by itself where it is from.
var appProperties = cli.Properties{
	Noun: "apps",
	List: []cli.Property{
		{Name: "deploy-source", OnlyApp: true, Check: anyText}, {Name: "deploy-source-metadata", OnlyApp: true, Check: anyText},
		{Name: noAutoCreate, OnlyServer: true, Check: func(value string) error {
			return cli.OneOf(noAutoCreate, value, "true", "false")
		}},
	},
	Put: func(st *app.State, name, value string) {
		d := app.Declared{}
		if st.Declared != nil && st.Declared.Release == st.Current {
			d = *st.Declared
		}
		if d.Release = st.Current; name == "deploy-source" {
			d.Source = value
		} else {
			d.Metadata = value
		}
		if st.Declared = &d; d.Source == "" && d.Metadata == "" {
			st.Declared = nil
		}
	},
	Store: func(c *cli.Call, _ func(*app.Settings)) error {
		return c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error {
			set.NoAutoCreate = len(c.Args) > 1 && c.Args[1] == "true"
			return nil
		})
	},
}

func anyText(string) error { return nil }

// globalApps are the values of the server.
func globalApps(c *cli.Call) (map[string]string, error) {
	set, err := c.Settings()
	values := map[string]string{"app-global-" + noAutoCreate: ""}
	if set.NoAutoCreate {
		values["app-global-"+noAutoCreate] = "true"
	}
	return values, err
}
