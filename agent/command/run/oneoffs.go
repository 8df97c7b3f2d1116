package run

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/oneoff"
	"dokku/agent/text"
)

// namedContainer returns the value of --container. If the command line has no app, it
// loads the app of that container.
func namedContainer(c *cli.Call) (container string, err error) {
	container = c.Value("container")
	given := c.Changed("container")
	if !given && c.App == nil {
		return "", cli.Refuse("No container or app specified")
	}
	if !given {
		return "", nil
	}
	var app, kind, number string // hello.run.4711
	if parts := strings.Split(container, "."); len(parts) > 2 {
		n := len(parts) - 2
		app, kind, number = strings.Join(parts[:n], "."), parts[n], parts[n+1]
	}
	switch _, err := strconv.ParseUint(number, 10, 32); {
	case app == "" || err != nil:
		return "", cli.Refuse("Invalid container name specified: %s", event.OneLine(container))
	case kind != "run":
		return "", cli.Refuse("Specified container must be a run container: %s", event.OneLine(container))
	case c.App != nil && c.App.Name != app:
		return "", cli.Refuse("Specified container %s is not one of app %s", event.OneLine(container), c.App.Name)
	}
	if c.App == nil {
		c.App, err = c.Server.Env.Store.Load(app)
	}
	return container, err
}

// oneOffs returns the app's one-off containers, or only the named one, which must exist.
func oneOffs(c *cli.Call, name string) ([]engine.Instance, error) {
	list, err := oneoff.List(c.Ctx, c.Server, c.App.Name)
	if err != nil || name == "" {
		return list, err
	}
	n := slices.IndexFunc(list, func(i engine.Instance) bool { return i.Name == name })
	if n < 0 {
		return nil, cli.Refuse("Specified container does not exist: %s", name)
	}
	return list[n : n+1], nil
}

// oneOffNames completes --container.
func oneOffNames(c *cli.Call) []string {
	if c.App == nil {
		return nil
	}
	list, err := oneOffs(c, "")
	if err != nil {
		return nil
	}
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	return names
}

func listOneOffs(c *cli.Call) error {
	if err := cli.OneOf("format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	if c.App == nil {
		return cli.ErrNoApp
	}
	list, err := oneOffs(c, "")
	if err != nil {
		return err
	}
	if c.Value("format") == "json" {
		return oneOffJSON(c, list)
	}
	rows := [][]string{}
	if c.Headings() {
		c.Heading("%s run containers", c.App.Name)
		rows = append(rows, []string{"NAMES", "COMMAND", "CREATED"})
	}
	for _, i := range list {
		rows = append(rows, []string{i.Name, event.OneLine(i.Command), units.HumanDuration(time.Since(i.Created)) + " ago"})
	}
	for _, line := range text.Columns(rows, 3) {
		c.Print("%s\n", line)
	}
	return nil
}

// oneOffJSON prints Dokku's values and, if the container has one, the deadline.
func oneOffJSON(c *cli.Call, list []engine.Instance) error {
	type item struct {
		Name     string `json:"name"`
		State    string `json:"state"`
		Command  string `json:"command"`
		Created  string `json:"created_at"`
		Deadline string `json:"deadline,omitempty"`
	}
	items := []item{}
	for _, i := range list {
		it := item{i.Name, string(i.Status), i.Command, i.Created.UTC().Format("2006-01-02 15:04:05 -0700 MST"), ""}
		if !i.Deadline.IsZero() {
			it.Deadline = i.Deadline.UTC().Format(time.RFC3339)
		}
		items = append(items, it)
	}
	return c.PrintJSON(items)
}

func stopOneOffs(c *cli.Call) error {
	list, err := chosenOneOffs(c)
	if err != nil || len(list) == 0 {
		return err
	}
	return oneoff.StopAll(c.Ctx, c.Server, c.App, list, c.Events().WithApp(c.App.Name))
}

// chosenOneOffs returns the container that the command line names, or all. If there are
// none, it prints a line.
func chosenOneOffs(c *cli.Call) ([]engine.Instance, error) {
	name, err := namedContainer(c)
	if err != nil {
		return nil, err
	}
	list, err := oneOffs(c, name)
	if err == nil && len(list) == 0 {
		noOneOffs(c)
	}
	return list, err
}

func noOneOffs(c *cli.Call) {
	if c.Headings() {
		c.Print("No run containers exist\n")
	}
}

func oneOffLogs(c *cli.Call) error {
	tail, err := parseTail(c.Value("num"))
	if err != nil {
		return err
	}
	list, err := chosenOneOffs(c)
	if err != nil || len(list) == 0 {
		return err
	}
	host, err := c.Engine()
	if err != nil {
		return err
	}
	l := &logReader{Call: c, console: host, raw: c.Flag("quiet"), read: map[string]time.Time{},
		find: func(context.Context, *app.App) ([]engine.Instance, error) { return slices.Clone(list), nil }}
	if !c.Flag("tail") {
		return l.history(tail)
	}
	if tail == 0 {
		if err := l.history(tail); err != nil {
			return err
		}
	}
	err = l.toTheirEnd(list, tail)
	if c.Ctx.Err() != nil {
		return nil // the client has gone, which is a normal end
	}
	return err
}

// toTheirEnd prints the last lines of containers, and new lines until they end.
func (l *logReader) toTheirEnd(list []engine.Instance, tail int) error {
	lines := make(chan logLine)
	failed := make(chan error, len(list)+1)
	var wait sync.WaitGroup
	for _, i := range list {
		wait.Go(func() {
			o := engine.LogOptions{Follow: true, Timestamps: true, Tail: max(0, tail)}
			if tail == 0 {
				o.Tail = reopened
			}
			err := l.lines(l.Call.Ctx, i, o, func(line logLine) { pass(l.Call.Ctx, lines, line) })
			if err != nil {
				failed <- fmt.Errorf("cannot read the log of %s: %w", i.Name, err)
			}
		})
	}
	ended := make(chan error, 1)
	go func() {
		wait.Wait() // all lines have been received
		failed <- nil
		ended <- <-failed
	}()
	return l.order(l.Call.Ctx, lines, ended)
}
