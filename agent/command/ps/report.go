package ps

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/letsencrypt"
	"dokku/scale"
)

var processProperties = cli.Properties{
	Noun: "ps", Role: cli.Operator,
	List: []cli.Property{
		{Name: "dockerfile-start-cmd", OnlyApp: true, Check: checkCommand("dockerfile-start-cmd")},
		{Name: "init", Default: app.PSDefaults["init"], Check: trueOrFalse("init")},
		{Name: app.PropMaxImagePorts, Default: app.PSDefaults[app.PropMaxImagePorts], Admin: true, Check: whole(app.PropMaxImagePorts, " of ports", 1, 3*65535)},
		{Name: app.PropMaxProcesses, Default: app.PSDefaults[app.PropMaxProcesses], Admin: true, Check: whole(app.PropMaxProcesses, " of processes", 1, 100_000)},
		{Name: app.PropMaxRuns, Default: app.PSDefaults[app.PropMaxRuns], Admin: true, Check: whole(app.PropMaxRuns, " of commands and cron tasks", 1, 10_000)},
		{Name: "procfile-path", Default: app.PSDefaults["procfile-path"], Check: func(value string) error { return app.CheckPath(app.PropProcfilePath, value) }},
		{Name: "restart-policy", Default: app.PSDefaults["restart-policy"], Check: checkRestartPolicy},
		{Name: app.PropRollover, OnlyApp: true, Check: checkRollover, Fits: hasTypes},
		{Name: app.PropServerProcesses, Default: app.PSDefaults[app.PropServerProcesses], OnlyServer: true,
			Check: whole(app.PropServerProcesses, " of processes", 1, 1_000_000)},
		{Name: app.PropServerRuns, Default: app.PSDefaults[app.PropServerRuns], OnlyServer: true,
			Check: whole(app.PropServerRuns, " of commands and cron tasks", 1, 100_000)},
		{Name: "skip-deploy", Default: app.PSDefaults["skip-deploy"], Check: trueOrFalse("skip-deploy")},
		{Name: "start-cmd", OnlyApp: true, Check: checkCommand("start-cmd")},
		{Name: "stop-timeout-seconds", Default: app.PSDefaults["stop-timeout-seconds"], Check: whole("stop-timeout-seconds", " of seconds", 0, 3600)},
	},
	Get:    (*app.State).PSProperty,
	Put:    func(st *app.State, name, value string) { cli.Put(&st.PS, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.PS },
}

func checkRestartPolicy(value string) error {
	policy, count, limited := strings.Cut(value, ":")
	n, err := strconv.Atoi(count)
	switch {
	case !limited && slices.Contains([]string{"no", "always", "unless-stopped", "on-failure"}, value):
		return nil
	case limited && policy == "on-failure" && err == nil && n > 0 && count[0] != '+':
		return nil
	}
	return cli.Refuse("Invalid restart-policy specified: use no, always, unless-stopped, on-failure or on-failure:N")
}

// checkCommand returns a check for a command as in a Procfile.
func checkCommand(name string) func(string) error {
	return func(value string) error {
		if _, _, err := scale.Command(value, func(string) (string, bool) { return "", true }); err != nil {
			return cli.Refuse("Invalid %s specified: %s", name, err)
		}
		return nil
	}
}

// trueOrFalse returns a check for a boolean setting.
func trueOrFalse(name string) func(string) error {
	return func(value string) error {
		if value != "true" && value != "false" {
			return cli.Refuse("Invalid %s specified: %q is neither true nor false", name, event.OneLine(value))
		}
		return nil
	}
}

// fixedKeys are the values of ps:report besides the properties of ps:set.
var fixedKeys = []string{
	"deployed", "processes", "ps-can-scale", "restore", "running", "scale-origin", "status-", "node-",
	"image-builder", "image-reason", "problem", "release", "revision", "rolled-back-from", "serving", "staged", "undeployed",
}

var processReport = cli.Reporter{
	Noun: "ps", Role: cli.Deployer,
	Keys: cli.Sorted(append(processProperties.Keys(), fixedKeys...)),
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return processProperties.Global(set), err
	},
	Collect: collectPS,
	Filled:  map[string]string{"ps-global-procfile-path": app.PSDefaults["procfile-path"], "ps-global-skip-deploy": app.PSDefaults["skip-deploy"]},
}

func collectPS(c *cli.Call, a *app.App, only string) (map[string]string, error) {
	v, err := c.View(a)
	if err != nil {
		return nil, err
	}
	formation, err := v.Formation()
	if err != nil {
		return nil, err
	}
	total := 0
	for _, e := range formation {
		total += e.Count
	}
	values := map[string]string{
		"deployed":     strconv.FormatBool(a.Deployed()),
		"processes":    strconv.Itoa(total),
		"ps-can-scale": strconv.FormatBool(formation.Shipped(a.Name, "") == nil),
		"restore":      strconv.FormatBool(!a.State.Stopped),
		"scale-origin": strings.Join(scaleOrigins(a, formation), "; "),
		"release":      "", "revision": "", "staged": staged(a), "image-builder": "", "image-reason": "",
	}
	if r := a.Current; r != nil {
		values["release"], values["revision"] = "v"+strconv.Itoa(r.Number), r.Revision
		values["image-builder"], values["image-reason"] = r.Builder, r.BuilderReason
	}
	processProperties.Report(values, &a.State, v.Settings)
	if err := reportRollover(values, v); err != nil {
		return nil, err
	}
	if values["problem"], err = problem(c.Server, a.Name); err != nil {
		return nil, err
	}
	if values["rolled-back-from"], err = deploy.RolledBack(v); err != nil {
		return nil, err
	}
	if values["undeployed"], err = deploy.Undeployed(v); err != nil {
		return nil, err
	}
	if values["serving"] = ""; cli.Needs(only, "serving") {
		if values["serving"], err = serving(c, a); err != nil {
			return nil, err
		}
	}
	if cli.Needs(only, "running", "status-", "node-") || values["problem"] == "" && cli.Needs(only, "problem") {
		err = addStatus(c, values, a, formation)
	}
	if values["problem"] == "" && err == nil {
		values["problem"], err = certificateProblem(c.Server, v)
	}
	return values, err
}

// staged describes an accepted push that does not serve yet.
func staged(app *app.App) string {
	st := app.State.Staged
	if st == nil {
		return ""
	}
	return fmt.Sprintf("v%d of %s since %s", st.Release, st.New, st.Since.UTC().Format("2006-01-02T15:04:05Z"))
}

// problem returns the reason why the app has not converged, or "".
func problem(s *agent.Server, app string) (string, error) {
	p, err := s.Env.Store.Problem(app)
	if p == nil || err != nil {
		return "", err
	}
	return fmt.Sprintf("%s (since %s)", strings.ReplaceAll(p.Text, "\n", "; "), p.Since.UTC().Format("2006-01-02T15:04:05Z")), nil
}

// certificateProblem says what keeps a CA from giving the app its certificates, or "".
func certificateProblem(s *agent.Server, v app.View) (string, error) {
	orders, err := s.Env.Store.Orders(v.Name)
	return strings.Join(letsencrypt.Troubles(v, orders), "; "), err
}

// serving names the release that the proxy routes to.
func serving(c *cli.Call, app *app.App) (string, error) {
	n, err := c.Server.Env.Serving(c.Ctx, app)
	if n == 0 || err != nil {
		return "", err
	}
	return "v" + strconv.Itoa(n), nil
}

// addStatus adds the state of the processes. It asks the engine only for deployed apps.
func addStatus(c *cli.Call, values map[string]string, app *app.App, f scale.Formation) error {
	values["running"] = "false"
	if !app.Deployed() {
		return nil
	}
	instances, err := c.Instances(app)
	if err != nil {
		return err
	}
	for _, i := range instances {
		key := fmt.Sprintf("status-%s-%d", i.Type, i.Index)
		values[key] = fmt.Sprintf("%s (CID: %s)", i.Status, cli.ShortID(i.ID))
		if i.Placed() {
			values[fmt.Sprintf("node-%s-%d", i.Type, i.Index)] = i.Node
		}
	}
	values["running"] = runningState(instances, f)
	if values["problem"] == "" && !app.State.Stopped {
		values["problem"] = ailments(c, app, instances)
	}
	return nil
}

// ailments says what is wrong with the app's processes.
func ailments(c *cli.Call, app *app.App, instances []engine.Instance) string {
	var list []string
	for _, i := range instances {
		if ailment := c.Server.Env.Ailment(c.Ctx, app.Current, i); ailment != "" {
			list = append(list, fmt.Sprintf("%s.%d %s", i.Type, i.Index, ailment))
		}
	}
	return strings.Join(list, "; ")
}

// runningState returns Dokku's word for the running part of the formation: true, false or
// mixed.
func runningState(instances []engine.Instance, f scale.Formation) string {
	want, run := 0, 0
	for _, e := range f {
		want += e.Count
	}
	for _, i := range instances {
		if i.Running() {
			run++
		}
	}
	switch {
	case run == 0:
		return "false"
	case run < want || run < len(instances):
		return "mixed"
	}
	return "true"
}

// whole returns a check for whole numbers.
func whole(name, unit string, least, most int) func(string) error {
	return func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < least || n > most || strings.HasPrefix(value, "+") {
			return cli.Refuse("Invalid %s specified: %q is not a whole number%s from %d to %d", name, value, unit, least, most)
		}
		return nil
	}
}
