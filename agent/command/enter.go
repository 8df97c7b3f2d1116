package command

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/engine"
)

// shells are what enter opens, the first that the container has.
var shells = []string{"/bin/bash", "/bin/sh"}

func enter(c *call) error {
	id, byID, err := c.containerID()
	if err != nil {
		return err
	}
	if err := c.deployed(); err != nil {
		return err
	}
	process := "web"
	if !byID && len(c.args) > 0 {
		process, c.args = c.args[0], c.args[1:]
	}
	if err := checkWords(c.args); err != nil {
		return err
	}
	var i engine.Instance
	if byID {
		i, err = c.byID(id)
	} else {
		i, err = c.running(process)
	}
	if err != nil {
		return err
	}
	return c.execIn(i)
}

// containerID takes --container-id off the words after the app, where Dokku has
// it.
func (c *call) containerID() (id string, given bool, err error) {
	id, given = c.value("container-id"), c.changed("container-id")
	if !given && len(c.args) > 0 {
		if value, joined := strings.CutPrefix(c.args[0], "--container-id="); joined {
			id, given, c.args = value, true, c.args[1:]
		} else if c.args[0] == "--container-id" {
			given = true
			if c.args = c.args[1:]; len(c.args) > 0 {
				id, c.args = c.args[0], c.args[1:]
			}
		}
	}
	if given && id == "" {
		return "", true, refuse("No container id specified.")
	}
	if len(c.args) > 0 && strings.HasPrefix(c.args[0], "-") && !given {
		return "", false, c.usageError("Invalid flag %s for enter, valid flags: --container-id", oneLine(c.args[0]))
	}
	return id, given, nil
}

// byID finds a running container of the app, also one that runs once.
func (c *call) byID(id string) (engine.Instance, error) {
	host, err := c.server.Host()
	if err != nil {
		return engine.Instance{}, err
	}
	o, err := host.Observe(c.ctx, c.app.Name)
	if err != nil {
		return engine.Instance{}, err
	}
	var found []engine.Instance
	ids := []string{}
	for _, i := range o.Instances {
		if !i.Running() {
			continue
		}
		ids = append(ids, shortID(i.ID))
		if i.Name == id || strings.HasPrefix(i.ID, id) {
			found = append(found, i)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	what := "Invalid container id for app"
	if len(found) > 1 {
		what = fmt.Sprintf("Container id %q fits %d containers", oneLine(id), len(found))
	}
	return engine.Instance{}, refuse("%s\nAvailable ids for app (%s): %s", what, c.app.Name, strings.Join(ids, " "))
}

// running finds a running process of the app by its type or its name.
func (c *call) running(process string) (engine.Instance, error) {
	all, err := c.server.Instances(c.ctx, c.app)
	if err != nil {
		return engine.Instance{}, err
	}
	all = slices.DeleteFunc(all, func(i engine.Instance) bool { return !i.Running() })
	if len(all) == 0 {
		return engine.Instance{}, refuse("App %s is not running\nps:start %[1]s starts it; run %[1]s COMMAND runs a command in a container of its own", c.app.Name)
	}
	slices.SortFunc(all, func(a, b engine.Instance) int { return a.Index - b.Index })
	kind, number, numbered := strings.Cut(process, ".")
	var types []string
	for _, i := range all {
		if i.Type == kind && (!numbered || strconv.Itoa(i.Index) == number) {
			return i, nil
		}
		types = append(types, processName(i))
	}
	slices.Sort(types)
	return engine.Instance{}, refuse("No containers found for type '%s'\nAvailable types for app (%s): %s",
		oneLine(process), c.app.Name, strings.Join(types, " "))
}

// execIn runs the words, or a shell, in a container.
func (c *call) execIn(i engine.Instance) error {
	host, err := c.server.Host()
	if err != nil {
		return err
	}
	if len(c.args) == 0 {
		if err := c.shell(host, i); err != nil {
			return err
		}
	}
	log := c.events().WithApp(c.app.Name)
	what := fmt.Sprintf("%s in %s with %d arguments", firstOf(c.args[0], "="), i.Name, len(c.args)-1)
	if c.env.User != "" {
		what += ", by " + c.env.User
	}
	log.Note("starting %s", what)
	done := log.Timed(what)
	tty := c.env.Console != nil
	st, release := c.streams(tty)
	exit, err := host.ExecAttached(c.ctx, i.ID, c.args, c.terminalEnv(tty), st)
	release()
	if done(err); err != nil {
		return coded(err)
	}
	return exited(exit)
}

func firstOf(s, sep string) string {
	first, _, _ := strings.Cut(s, sep)
	return first
}

// shell makes the words the best shell that the container has.
func (c *call) shell(host engine.Host, i engine.Instance) error {
	for _, shell := range shells {
		_, exit, err := host.Exec(c.ctx, i.ID, []string{shell, "-c", ":"})
		if err != nil {
			return err
		}
		if exit == 0 {
			c.args = []string{shell}
			return nil
		}
	}
	return refuse("Cannot open a shell in %s: its image has neither %s\nName a command that it has: dokku enter %s %s COMMAND",
		i.Name, strings.Join(shells, " nor "), c.app.Name, processName(i))
}
