package run

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/event"
)

// shells are the shells that enter tries, in this order, after that of scheduler:set.
var shells = []string{"/bin/bash", "/bin/sh"}

func enter(c *cli.Call) error {
	id, byID, err := containerID(c)
	if err != nil {
		return err
	}
	if err := c.Deployed(); err != nil {
		return err
	}
	process := "web"
	if !byID && len(c.Args) > 0 {
		process, c.Args = c.Args[0], c.Args[1:]
	}
	if err := checkWords(c.Args); err != nil {
		return err
	}
	var i engine.Instance
	if byID {
		i, err = containerByID(c, id)
	} else {
		i, err = runningProcess(c, process)
	}
	if err != nil {
		return err
	}
	if err = execIn(c, i); errors.Is(err, engine.ErrElsewhere) {
		return cli.Refuse("%w\nOn that node: docker exec -it $(%s) sh; or in a new container, here: dokku run %s COMMAND", err, cli.OnNode(i), c.App.Name)
	}
	return err
}

// containerID reads --container-id. Dokku expects it after the app, so it removes it from
// the words.
func containerID(c *cli.Call) (id string, given bool, err error) {
	id, given = c.Value("container-id"), c.Changed("container-id")
	if !given && len(c.Args) > 0 {
		if value, joined := strings.CutPrefix(c.Args[0], "--container-id="); joined {
			id, given, c.Args = value, true, c.Args[1:]
		} else if c.Args[0] == "--container-id" {
			given = true
			if c.Args = c.Args[1:]; len(c.Args) > 0 {
				id, c.Args = c.Args[0], c.Args[1:]
			}
		}
	}
	if given && id == "" {
		return "", true, cli.Refuse("No container id specified.")
	}
	if len(c.Args) > 0 && strings.HasPrefix(c.Args[0], "-") && !given {
		return "", false, c.UsageError("Invalid flag %s for enter, valid flags: --container-id", event.OneLine(c.Args[0]))
	}
	return id, given, nil
}

// containerByID finds a running container of the app; one-off containers count too.
func containerByID(c *cli.Call, id string) (engine.Instance, error) {
	host, err := c.Engine()
	if err != nil {
		return engine.Instance{}, err
	}
	o, err := host.Observe(c.Ctx, c.App.Name)
	if err != nil {
		return engine.Instance{}, err
	}
	var found []engine.Instance
	ids := []string{}
	for _, i := range o.Instances {
		if !i.Running() {
			continue
		}
		ids = append(ids, cli.ShortID(i.ID))
		if i.Name == id || strings.HasPrefix(i.ID, id) || cli.ShortID(i.ID) == id {
			found = append(found, i)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	reason := "Invalid container id for app"
	if len(found) > 1 {
		reason = fmt.Sprintf("Container id %q matches %d containers", event.OneLine(id), len(found))
	}
	return engine.Instance{}, cli.Refuse("%s\nAvailable ids for app (%s): %s", reason, c.App.Name, strings.Join(ids, " "))
}

// runningProcess finds a running process of the app by its type or its name.
func runningProcess(c *cli.Call, process string) (engine.Instance, error) {
	all, err := c.Instances(c.App)
	if err != nil {
		return engine.Instance{}, err
	}
	all = slices.DeleteFunc(all, func(i engine.Instance) bool { return !i.Running() })
	if len(all) == 0 {
		return engine.Instance{}, cli.Refuse("App %s is not running\nTo start it: dokku ps:start %[1]s; to run a command in a new container: dokku run %[1]s COMMAND", c.App.Name)
	}
	here := ownNode(c, all)
	slices.SortStableFunc(all, func(a, b engine.Instance) int {
		return cmp.Or(cmp.Compare(elsewhere(a, here), elsewhere(b, here)), a.Index-b.Index)
	})
	kind, number, numbered := strings.Cut(process, ".")
	var types []string
	for _, i := range all {
		if i.Type == kind && (!numbered || strconv.Itoa(i.Index) == number) {
			return i, nil
		}
		types = append(types, processName(i))
	}
	slices.Sort(types)
	return engine.Instance{}, cli.Refuse("No containers found for type '%s'\nAvailable types for app (%s): %s",
		event.OneLine(process), c.App.Name, strings.Join(types, " "))
}

// ownNode returns the name of this server in its swarm, where an app's processes run on one.
func ownNode(c *cli.Call, all []engine.Instance) string {
	host, err := c.Engine()
	if err != nil || !slices.ContainsFunc(all, engine.Instance.Placed) {
		return ""
	}
	swarm, _ := host.Cluster(c.Ctx) // unknown, the first process is as good as any
	for _, n := range swarm.Nodes {
		if n.ID == swarm.Self {
			return n.Name
		}
	}
	return ""
}

// elsewhere is 1 for a process on another node, to which the way is longer.
func elsewhere(i engine.Instance, here string) int {
	if i.Placed() && i.Node != here {
		return 1
	}
	return 0
}

// execIn runs the words of the command line, or a shell, in a container.
func execIn(c *cli.Call, i engine.Instance) error {
	host, err := c.Engine()
	if err != nil {
		return err
	}
	if len(c.Args) == 0 {
		if err := bestShell(c, host, i); err != nil {
			return err
		}
	}
	log := c.Events().WithApp(c.App.Name)
	started := fmt.Sprintf("%s in %s with %d arguments", firstOf(c.Args[0], "="), i.Name, len(c.Args)-1)
	if c.Env.User != "" {
		started += ", by " + c.Env.User
	}
	log.Note("starting %s", started)
	done := log.Timed(started)
	err = Attach(c, host, i.ID, c.App.Current.Exec(c.Args).Argv(), nil)
	var ended exitError
	if errors.As(err, &ended) {
		done(nil)
	} else {
		done(err)
	}
	return err
}

func firstOf(s, sep string) string {
	first, _, _ := strings.Cut(s, sep)
	return first
}

// shellsOf returns the shells that enter tries in the app's containers.
func shellsOf(v app.View) []string {
	first := v.Shell()
	if first == "" {
		return shells
	}
	return append([]string{first}, shells...)
}

// bestShell sets the words to the first of shells that the container has.
func bestShell(c *cli.Call, host engine.Host, i engine.Instance) error {
	set, err := c.Settings()
	if err != nil {
		return err
	}
	tried := shellsOf(app.View{App: c.App, Settings: set})
	for _, shell := range tried {
		_, exit, err := host.Exec(c.Ctx, i.ID, []string{shell, "-c", ":"})
		if err != nil {
			return err
		}
		if exit == 0 {
			c.Args = []string{shell}
			return nil
		}
	}
	return cli.Refuse("Cannot open a shell in %s: its image has neither %s\nTo run another command: dokku enter %s %s COMMAND",
		i.Name, strings.Join(tried, " nor "), c.App.Name, processName(i))
}
