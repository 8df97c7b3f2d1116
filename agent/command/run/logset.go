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

const noVector = "logs are not sent anywhere from here. Run a collector of your own, such as vector in a container with " +
	"/var/run/docker.sock; the label com.dokku.app-name names the app of each container"

var logProperties = cli.Properties{
	Noun: "logs", Role: cli.Operator,
	List: []cli.Property{
		{Name: "app-label-alias", Default: "com.dokku.app-name", Check: checkAlias, Inert: noVector},
		{Name: app.LogMaxSize, Default: "10m", Check: checkLogSize, Bounded: checkMaxLog,
			Note: "It takes effect with the next deploy or restart of each app (dokku ps:restart APP)"},
		{Name: "vector-cron-sink", Check: checkSink, Masked: true, Inert: noVector},
		{Name: "vector-image", OnlyServer: true, Check: anyWord, Inert: noVector},
		{Name: "vector-networks", OnlyServer: true, Check: anyWord, Inert: noVector},
		{Name: "vector-sink", Check: checkSink, Masked: true, Inert: noVector},
	},
	Get:    func(st *app.State, name string) string { return st.Logs[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Logs, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Logs },
}

// aliasForm and sinkForm are the values that Dokku takes.
var (
	aliasForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	sinkForm  = regexp.MustCompile(`^[a-z][a-z0-9_]*://`)
)

func anyWord(string) error { return nil }

func checkAlias(value string) error {
	if aliasForm.MatchString(value) {
		return nil
	}
	return cli.Refuse("Invalid app-label-alias value %q: give letters, digits, _, . and -, such as app_name", event.OneLine(value))
}

// checkSink says nothing of the value, which may have a password.
func checkSink(value string) error {
	if sinkForm.MatchString(value) {
		return nil
	}
	return cli.Refuse("Invalid sink: give a DSN, such as console://?encoding[codec]=json")
}

// logSizeForm is a number of bytes in the engine's form, of at most nine digits.
var logSizeForm = regexp.MustCompile(`^[1-9][0-9]{0,8}[kmg]$`)

func checkLogSize(value string) error {
	if value == app.LogUnlimited || logSizeForm.MatchString(value) {
		return nil
	}
	return cli.Refuse("Invalid max-size value %q: give a number followed by k, m or g, such as 20m, or unlimited", event.OneLine(value))
}

// checkMaxLog refuses an operator's size of a log that would fill the server's disk.
func checkMaxLog(c *cli.Call, name, value string) error {
	v, err := c.View(c.App)
	if err != nil || value == "" {
		return err
	}
	if err := v.CheckMaxLog(value); err != nil {
		return cli.Refuse("Invalid max-size specified: %w: dokku logs:set %s %s %s", err, c.App.Name, name, value)
	}
	return nil
}

// logReport adds the size that counts now. Text leaves out what is vector's while it is unset.
var logReport = func() cli.Reporter {
	rep := logProperties.Reporter()
	own := rep.Collect
	rep.Keys = cli.Sorted(append(rep.Keys, "logs-running-max-size"))
	rep.Own = []string{"app-label-alias", "vector-cron-sink", "vector-image", "vector-networks", "vector-sink"}
	rep.Collect = func(c *cli.Call, a *app.App, only string) (map[string]string, error) {
		values, err := own(c, a, only)
		if err != nil {
			return nil, err
		}
		values["logs-running-max-size"] = ""
		if a.Deployed() {
			values["logs-running-max-size"] = cmp.Or(a.Current.LogSize, "10m")
		}
		return values, nil
	}
	return rep
}()
