package command

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"dokku/agent"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/text"
	"dokku/scale"
)

var processCommands = []spec{
	{
		use: "ps [APP]", short: "List the processes that run in each of the app's containers",
		long:  "Without an app, the ps commands are listed.",
		whole: true, run: runPS,
	},
	operation("ps:start APP", "Start the app, if it does not run", (*agent.Server).Start),
	operation("ps:stop APP", "Stop the app", (*agent.Server).Stop),
	operation("ps:restart APP [TYPE]", "Replace the app's processes, or those of a type, by new ones, with the present config", (*agent.Server).Restart),
	operation("ps:rebuild APP", "Build and deploy the deployed revision again", (*agent.Server).Rebuild),
	overall("ps:restartall", "Restart all apps", (*agent.Server).Restart),
	overall("ps:rebuildall", "Rebuild all apps", (*agent.Server).Rebuild),
	{
		use: "deploy:all", short: "Deprecated: restart all apps", flags: parallelFlag,
		run: func(c *call) error {
			workers, err := c.workers()
			if err != nil {
				return err
			}
			c.events().Warn("Deprecated: deploy:all is the old name of ps:restartall")
			return c.each("restart", workers, (*agent.Server).Restart)
		},
	},
	{
		use: "ps:inspect APP", short: "Show the engine's description of the app's containers, without the environment's values",
		run: runInspect,
	},
	{
		use: "ps:restore [APP]", short: "Start what has ended of the app, or of all apps, unless it was stopped",
		long: "The agent does this by itself when the engine comes back.",
		run: func(c *call) error {
			if c.app == nil {
				return c.each("restore", 1, (*agent.Server).Restore)
			}
			if err := c.deployed(); err != nil {
				return err
			}
			return c.server.Restore(c.ctx, c.app.Name, c.events().WithApp(c.app.Name))
		},
	},
	processReport.spec("Show what the app runs, and its process settings"),
	processProperties.spec("Set or unset a process setting"),
}

// An action is an operation of the agent on one app.
type action func(*agent.Server, context.Context, string, event.Log) error

// operation is a command that does something to one app, or with --all to all.
func operation(use, short string, do action) spec {
	name, _, _ := strings.Cut(use, " ")
	_, verb, _ := strings.Cut(name, ":")
	s := spec{use: use, short: short, withoutApp: "Unable to " + verb + " all apps when specifying a process name",
		long: "--all does it to all apps, --parallel N to N at a time (-1: one for each CPU)."}
	s.flags = func(f *pflag.FlagSet) {
		f.Bool("all", false, "all apps")
		parallelFlag(f)
	}
	s.run = func(c *call) error {
		workers, err := c.workers()
		if err != nil {
			return err
		}
		if c.flag("all") && len(c.args) > 0 {
			return c.usageError("%s", s.withoutApp)
		}
		if c.flag("all") {
			return c.each(verb, workers, do)
		}
		if len(c.args) > 0 {
			do = c.restartOnly()
		}
		if err = c.deployed(); err != nil && verb == "rebuild" {
			err = c.pushed()
		}
		if err == nil && len(c.args) > 0 && c.app.Deployed() {
			err = c.knownType(c.args[0])
		}
		if err == nil {
			err = do(c.server, c.ctx, c.app.Name, c.events().WithApp(c.app.Name))
		}
		var never *agent.NotDeployedError
		if errors.As(err, &never) && (verb == "start" || verb == "stop") {
			// Dokku's exit code is 0: scripts start all apps, deployed or not.
			c.warn("%s", err)
			return nil
		}
		return err
	}
	return s
}

// restartOnly is ps:restart APP TYPE.
func (c *call) restartOnly() action {
	return func(s *agent.Server, ctx context.Context, app string, log event.Log) error {
		return s.RestartType(ctx, app, c.args[0], log)
	}
}

// knownType refuses a process type that the app does not have, before anything
// is locked or printed.
func (c *call) knownType(name string) error {
	f, err := c.server.Formation(c.app)
	if err == nil && !slices.ContainsFunc(f, func(e scale.Entry) bool { return e.Type == name }) {
		err = refuse("%s is not a valid process name to restart", oneLine(name))
	}
	return err
}

// overall is an old command that does something to all apps.
func overall(name, short string, do action) spec {
	verb := strings.TrimSuffix(strings.TrimPrefix(name, "ps:"), "all")
	return spec{use: name, short: short, flags: parallelFlag, run: func(c *call) error {
		workers, err := c.workers()
		if err != nil {
			return err
		}
		return c.each(verb, workers, do)
	}}
}

func parallelFlag(f *pflag.FlagSet) {
	f.String("parallel", "1", "apps at a time; -1: one for each CPU")
}

// workers is how many apps --parallel works on at a time.
func (c *call) workers() (int, error) {
	value := c.value("parallel")
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n == 0 || n < -1:
		return 0, refuse("Invalid value %s for --parallel flag", value)
	case n == -1:
		return runtime.NumCPU(), nil
	}
	return n, nil
}

// each does something to all apps. One app's failure does not keep the others
// from their turn; apps that were never deployed are passed over.
func (c *call) each(verb string, workers int, do action) error {
	apps, err := c.apps()
	if err != nil {
		return err
	}
	log := c.events()
	var mu sync.Mutex
	var failed []string
	var wait sync.WaitGroup
	slots := make(chan struct{}, workers)
	for _, app := range apps {
		slots <- struct{}{}
		if c.ctx.Err() != nil {
			break
		}
		wait.Go(func() {
			defer func() { <-slots }()
			log := log.WithApp(app)
			log.Step("Running %s against app %s", verb, app)
			err := do(c.server, c.ctx, app, log)
			var never *agent.NotDeployedError
			switch {
			case err == nil:
			case errors.As(err, &never):
				log.Detail("%s", err)
			default:
				log.Warn("%s", err)
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, app)
			}
		})
	}
	wait.Wait()
	switch {
	case c.ctx.Err() != nil:
		return c.ctx.Err()
	case len(failed) > 0:
		return refuse("Unable to %s %d of %d apps: %s", verb, len(failed), len(apps), strings.Join(failed, ", "))
	}
	return nil
}

func runPS(c *call) error {
	if c.app == nil {
		return c.listNoun("ps")
	}
	if err := c.deployed(); err != nil {
		c.warn("%s", err)
		return nil
	}
	instances, err := c.server.Instances(c.ctx, c.app)
	if err != nil {
		return err
	}
	host, err := c.server.Host()
	if err != nil {
		return err
	}
	instances = slices.DeleteFunc(instances, func(i engine.Instance) bool { return !i.Running() })
	if len(instances) == 0 {
		c.warn("App %s is not running", c.app.Name)
		return nil
	}
	// The engine takes its time for each: it runs ps on the host.
	type table struct {
		titles []string
		rows   [][]string
	}
	tables := make([]table, len(instances))
	g, ctx := errgroup.WithContext(c.ctx)
	g.SetLimit(8)
	for n, i := range instances {
		g.Go(func() error {
			titles, rows, err := host.Processes(ctx, i.ID, "auxwww")
			if err != nil {
				return fmt.Errorf("cannot list the processes of %s: %w", i.Name, err)
			}
			tables[n] = table{titles, rows}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for n, i := range instances {
		c.print("-----> running processes in container: %s (%s.%d)\n", shortID(i.ID), i.Type, i.Index)
		c.printTable(tables[n].titles, tables[n].rows)
	}
	return nil
}

// printTable aligns the columns, below their titles.
func (c *call) printTable(titles []string, rows [][]string) {
	all := [][]string{}
	for _, row := range append([][]string{titles}, rows...) {
		cells := make([]string, len(titles))
		for i, cell := range row[:min(len(row), len(cells))] {
			cells[i] = event.Printable(cell)
		}
		all = append(all, cells)
	}
	for _, line := range text.Columns(all, 1) {
		c.print("%s\n", line)
	}
}
