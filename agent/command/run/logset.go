package run

import (
	"cmp"
	"regexp"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

var logSetCommands = []cli.Spec{
	logProperties.Spec("Set or unset the size of the logs of the app's processes"),
	logReport.Spec("Show the size of the logs of the app's processes"),
}

const noVector = "Logs are not sent anywhere from here: run a collector of your own, such as vector in a container with " +
	"/var/run/docker.sock; the label com.dokku.app-name names the app of each container"

var logProperties = cli.Properties{
	Noun: "logs",
	List: []cli.Property{
		refusedLog("app-label-alias"),
		{Name: app.LogMaxSize, Default: "10m", Check: checkLogSize,
			Note: "It takes effect with the next deploy or restart of each app (dokku ps:restart APP)"},
		{Name: "app-label-alias", Instead: "the labels com.dokku.app-name, com.dokku.process-type and com.dokku.dyno"},
		refusedLog("vector-cron-sink"), refusedLog("vector-image"), refusedLog("vector-networks"), refusedLog("vector-sink"),
	},
	Get:    func(st *app.State, name string) string { return st.Logs[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Logs, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Logs },
}

// refusedLog is a property of Dokku's for vector, which can only be unset.
func refusedLog(name string) cli.Property {
	return cli.Property{Name: name, Check: func(string) error { return cli.Refuse("%s", noVector) }}
}

// logSizeForm is a number of bytes in the engine's form, of at most nine digits.
var logSizeForm = regexp.MustCompile(`^[1-9][0-9]{0,8}[kmg]$`)

func checkLogSize(value string) error {
	if value == app.LogUnlimited || logSizeForm.MatchString(value) {
		return nil
	}
	return cli.Refuse("Invalid max-size value %q: give a number followed by k, m or g, such as 20m, or unlimited", event.OneLine(value))
}

var logReport = cli.Reporter{
	Noun: "logs",
	Keys: []string{"logs-computed-max-size", "logs-global-max-size", "logs-max-size", "logs-running-max-size"},
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return map[string]string{"logs-global-max-size": set.Logs[app.LogMaxSize]}, err
	},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		set, err := c.Settings()
		own, server, running := a.State.Logs[app.LogMaxSize], set.Logs[app.LogMaxSize], ""
		if a.Deployed() {
			running = cmp.Or(a.Current.LogSize, "10m")
		}
		return map[string]string{"logs-max-size": own, "logs-global-max-size": server,
			"logs-computed-max-size": cmp.Or(own, server, "10m"), "logs-running-max-size": running}, err
	},
}
