package command

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"

	"dokku/agent"
	"dokku/agent/engine"
	"dokku/agent/text"
)

// named loads the app of a command whose app may be left out when --container
// names one of its containers, and returns that name.
func (c *call) named() (container string, err error) {
	container = c.value("container")
	given := c.changed("container")
	if !given && c.app == nil {
		return "", refuse("No container or app specified")
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
		return "", refuse("Invalid container name specified: %s", oneLine(container))
	case kind != "run":
		return "", refuse("Specified container must be a run container: %s", oneLine(container))
	case c.app != nil && c.app.Name != app:
		return "", refuse("Specified container %s is not one of app %s", oneLine(container), c.app.Name)
	}
	if c.app == nil {
		c.app, err = c.server.Load(app)
	}
	return container, err
}

// oneOffs are the app's one-off containers, or the one that is named, which has
// to exist.
func (c *call) oneOffs(name string) ([]engine.Instance, error) {
	list, err := c.server.OneOffs(c.ctx, c.app.Name)
	if err != nil || name == "" {
		return list, err
	}
	n := slices.IndexFunc(list, func(i engine.Instance) bool { return i.Name == name })
	if n < 0 {
		return nil, refuse("Specified container does not exist: %s", name)
	}
	return list[n : n+1], nil
}

// oneOffNames completes --container.
func (c *call) oneOffNames() []string {
	if c.app == nil {
		return nil
	}
	list, err := c.oneOffs("")
	if err != nil {
		return nil
	}
	var names []string
	for _, i := range list {
		names = append(names, i.Name)
	}
	return names
}

func listOneOffs(c *call) error {
	if err := oneOf("format", c.value("format"), "stdout", "json"); err != nil {
		return err
	}
	if c.app == nil {
		return errNoApp
	}
	list, err := c.oneOffs("")
	if err != nil {
		return err
	}
	if c.value("format") == "json" {
		return c.oneOffJSON(list)
	}
	rows := [][]string{}
	if c.headings() {
		c.print("=====> %s run containers\n", c.app.Name)
		rows = append(rows, []string{"NAMES", "COMMAND", "CREATED"})
	}
	for _, i := range list {
		rows = append(rows, []string{i.Name, oneLine(i.Command), units.HumanDuration(time.Since(i.Created)) + " ago"})
	}
	for _, line := range text.Columns(rows, 3) {
		c.print("%s\n", line)
	}
	return nil
}

// oneOffJSON prints what Dokku does, and the deadline, if there is one.
func (c *call) oneOffJSON(list []engine.Instance) error {
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
	data, err := json.Marshal(items)
	if err == nil {
		c.print("%s\n", data)
	}
	return err
}

func stopOneOffs(c *call) error {
	list, err := c.chosenOneOffs()
	if err != nil || len(list) == 0 {
		return err
	}
	return c.server.StopOneOffs(c.ctx, c.app, list, c.events().WithApp(c.app.Name))
}

// chosenOneOffs are those that the command line names, or all; it says so if
// there are none.
func (c *call) chosenOneOffs() ([]engine.Instance, error) {
	name, err := c.named()
	if err != nil {
		return nil, err
	}
	list, err := c.oneOffs(name)
	if err == nil && len(list) == 0 {
		c.noOneOffs()
	}
	return list, err
}

func (c *call) noOneOffs() {
	if c.headings() {
		c.print("No run containers exist\n")
	}
}

func oneOffLogs(c *call) error {
	tail, err := parseTail(c.value("num"))
	if err != nil {
		return err
	}
	list, err := c.chosenOneOffs()
	if err != nil || len(list) == 0 {
		return err
	}
	host, err := c.server.Host()
	if err != nil {
		return err
	}
	l := &logReader{call: c, console: host, read: map[string]time.Time{},
		find: func(context.Context, *agent.App) ([]engine.Instance, error) { return slices.Clone(list), nil }}
	if !c.flag("tail") {
		return l.history(tail)
	}
	err = l.toTheirEnd(list, tail)
	if c.ctx.Err() != nil {
		return nil // the client went, which is how this command may end
	}
	return err
}

func parseTail(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, refuse("Invalid value %q for --num: it is how many lines to show", oneLine(value))
	}
	return n, nil
}

// toTheirEnd prints the last lines of containers and all that they still print.
func (l *logReader) toTheirEnd(list []engine.Instance, tail int) error {
	lines := make(chan logLine)
	failed := make(chan error, len(list)+1)
	var wait sync.WaitGroup
	for _, i := range list {
		wait.Go(func() {
			o := engine.LogOptions{Follow: true, Timestamps: true, Tail: tail}
			err := l.lines(l.ctx, i, o, func(line logLine) {
				select {
				case lines <- line:
				case <-l.ctx.Done():
				}
			})
			if err != nil {
				failed <- fmt.Errorf("cannot read the log of %s: %w", i.Name, err)
			}
		})
	}
	ended := make(chan error, 1)
	go func() {
		wait.Wait() // each line has been taken by now
		failed <- nil
		ended <- <-failed
	}()
	return l.order(l.ctx, lines, ended)
}
