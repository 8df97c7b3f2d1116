package ps

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
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/text"
	"dokku/scale"
)

// Commands are the commands of this package.
var Commands = slices.Concat(processCommands, scaleCommands, checkCommands, schedulerCommands)

var processCommands = []cli.Spec{
	{
		Use: "ps [APP]", Role: cli.Deployer, Short: "List the processes in each of the app's containers",
		Long:  "Without an app, it lists the ps commands.",
		Whole: true, Scoped: true, Run: runPS,
	},
	operation("ps:start APP", "Start the app, unless it is running", (*agent.Server).Start),
	operation("ps:stop APP", "Stop the app", (*agent.Server).Stop),
	operation("ps:restart APP [TYPE]", "Replace the app's processes, or those of one type, with new ones that have the present config", (*agent.Server).Restart),
	operation("ps:rebuild APP", "Build and deploy the deployed revision again", (*agent.Server).Rebuild),
	overall("ps:restartall", "Restart all apps", (*agent.Server).Restart),
	overall("ps:rebuildall", "Rebuild all apps", (*agent.Server).Rebuild),
	{
		Use: "deploy:all", Role: cli.Admin, Short: "Deprecated: restart all apps", Flags: parallelFlag,
		Run: func(c *cli.Call) error {
			workers, err := workers(c)
			if err != nil {
				return err
			}
			c.Events().Warn("Deprecated: deploy:all is the old name of ps:restartall")
			return eachApp(c, "restart", workers, (*agent.Server).Restart)
		},
	},
	{
		Use: "ps:inspect APP", Role: cli.Operator, Short: "Show the engine's description of the app's containers, without the values of variables",
		Run: runInspect,
	},
	{
		Use: "ps:restore [APP]", Role: cli.Operator, Short: "Start the ended processes of the app, or of all apps; stopped apps stay stopped",
		Long: "The agent does this itself when the engine comes back. --all is as without APP, --parallel N works on N apps\n" +
			"at a time (-1: one for each CPU).",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("all", false, "all apps")
			parallelFlag(f)
		},
		Run: func(c *cli.Call) error {
			workers, err := workers(c)
			if err != nil {
				return err
			}
			if c.App == nil {
				return eachApp(c, "restore", workers, (*agent.Server).StartEnded)
			}
			if err := c.Deployed(); err != nil {
				return err
			}
			return c.Server.StartEnded(c.Ctx, c.App.Name, c.Events().WithApp(c.App.Name))
		},
	},
	processReport.Spec("Show the app's processes and process settings"),
	processProperties.Spec("Set or unset a process setting"),
}

// An action is an operation of the agent on an app.
type action func(*agent.Server, context.Context, string, event.Log) error

// operation returns a command that runs an action on one app, or with --all on all.
func operation(use, short string, do action) cli.Spec {
	name, _, _ := strings.Cut(use, " ")
	_, verb, _ := strings.Cut(name, ":")
	s := cli.Spec{Use: use, Role: cli.Operator, Short: short, WithoutApp: "Unable to " + verb + " all apps when specifying a process name",
		Long: "--all works on all apps, --parallel N on N apps at a time (-1: one for each CPU)."}
	s.Flags = func(f *pflag.FlagSet) {
		f.Bool("all", false, "all apps")
		parallelFlag(f)
	}
	s.Run = func(c *cli.Call) error {
		workers, err := workers(c)
		if err != nil {
			return err
		}
		if c.Flag("all") && len(c.Args) > 0 {
			return c.UsageError("%s", s.WithoutApp)
		}
		if c.Flag("all") {
			return eachApp(c, verb, workers, do)
		}
		if len(c.Args) > 0 {
			do = restartOnly(c)
		}
		if err = c.Deployed(); err != nil && verb == "rebuild" {
			err = c.Pushed()
		}
		if err == nil && len(c.Args) > 0 && c.App.Deployed() {
			err = knownType(c, c.Args[0])
		}
		if err == nil {
			err = do(c.Server, c.Ctx, c.App.Name, c.Events().WithApp(c.App.Name))
		}
		var never *app.NotDeployedError
		if errors.As(err, &never) && (verb == "start" || verb == "stop") {
			// Dokku's exit code is 0: scripts start all apps, deployed or not.
			c.Warn("%s", err)
			return nil
		}
		return err
	}
	return s
}

// restartOnly returns the action of ps:restart APP TYPE.
func restartOnly(c *cli.Call) action {
	return func(s *agent.Server, ctx context.Context, app string, log event.Log) error {
		return s.RestartType(ctx, app, c.Args[0], log)
	}
}

// knownType returns an error if the app does not have the process type, before the
// command locks or prints anything.
func knownType(c *cli.Call, name string) error {
	f, err := c.Formation(c.App)
	if err == nil && !slices.ContainsFunc(f, func(e scale.Entry) bool { return e.Type == name }) {
		err = cli.Refuse("%s is not a valid process name to restart", event.OneLine(name))
	}
	return err
}

// overall returns an old command that runs an action on all apps.
func overall(name, short string, do action) cli.Spec {
	verb := strings.TrimSuffix(strings.TrimPrefix(name, "ps:"), "all")
	return cli.Spec{Use: name, Role: cli.Admin, Short: short, Flags: parallelFlag, Run: func(c *cli.Call) error {
		workers, err := workers(c)
		if err != nil {
			return err
		}
		return eachApp(c, verb, workers, do)
	}}
}

func parallelFlag(f *pflag.FlagSet) {
	f.String("parallel", "1", "apps at a time; -1: one for each CPU")
}

// workers returns the number of apps that --parallel works on at a time.
func workers(c *cli.Call) (int, error) {
	value := c.Value("parallel")
	n, err := strconv.Atoi(value)
	switch {
	case err != nil || n == 0 || n < -1:
		return 0, cli.Refuse("Invalid value %s for --parallel flag", value)
	case n == -1:
		return runtime.NumCPU(), nil
	}
	return n, nil
}

// eachApp runs an action on all apps. It continues after the failure of an app, and skips
// apps that were never deployed.
func eachApp(c *cli.Call, verb string, workers int, do action) error {
	apps, err := c.Apps()
	if err != nil {
		return err
	}
	log := c.Events()
	var mu sync.Mutex
	var failed []string
	var wait sync.WaitGroup
	slots := make(chan struct{}, workers)
	for _, name := range apps {
		slots <- struct{}{}
		if c.Ctx.Err() != nil {
			break
		}
		wait.Go(func() {
			defer func() { <-slots }()
			log := log.WithApp(name)
			log.Step("Running %s against app %s", verb, name)
			err := do(c.Server, c.Ctx, name, log)
			var never *app.NotDeployedError
			switch {
			case err == nil:
			case errors.As(err, &never):
				log.Detail("%s", err)
			default:
				log.Warn("%s", err)
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, name)
			}
		})
	}
	wait.Wait()
	switch {
	case c.Ctx.Err() != nil:
		return c.Ctx.Err()
	case len(failed) > 0:
		return cli.Refuse("Unable to %s %d of %d apps: %s", verb, len(failed), len(apps), strings.Join(failed, ", "))
	}
	return nil
}

func runPS(c *cli.Call) error {
	if c.App == nil {
		return c.ListNoun("ps")
	}
	if err := c.Deployed(); err != nil {
		c.Warn("%s", err)
		return nil
	}
	instances, err := c.Instances(c.App)
	if err != nil {
		return err
	}
	host, err := c.Engine()
	if err != nil {
		return err
	}
	instances = slices.DeleteFunc(instances, func(i engine.Instance) bool { return !i.Running() })
	if len(instances) == 0 {
		c.Warn("App %s is not running", c.App.Name)
		return nil
	}
	// In parallel, since the engine runs ps on the host for each container.
	type table struct {
		titles []string
		rows   [][]string
	}
	tables := make([]table, len(instances))
	g, ctx := errgroup.WithContext(c.Ctx)
	g.SetLimit(8)
	for n, i := range instances {
		g.Go(func() error {
			titles, rows, err := host.Processes(ctx, i.ID, "auxwww")
			if i.Placed() && err != nil {
				return nil // its node does not answer
			}
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
		at := ""
		if i.Placed() {
			at = " on " + i.Node
		}
		c.Print("-----> running processes in container: %s (%s.%d)%s\n", cli.ShortID(i.ID), i.Type, i.Index, at)
		if tables[n].titles == nil {
			c.Print("       not seen from here; on that node: docker top $(%s)\n", cli.OnNode(i))
			continue
		}
		printTable(c, tables[n].titles, tables[n].rows)
	}
	return nil
}

// printTable prints aligned columns below their titles.
func printTable(c *cli.Call, titles []string, rows [][]string) {
	all := [][]string{}
	for _, row := range append([][]string{titles}, rows...) {
		cells := make([]string, len(titles))
		for i, cell := range row[:min(len(row), len(cells))] {
			cells[i] = event.Printable(cell)
		}
		all = append(all, cells)
	}
	for _, line := range text.Columns(all, 1) {
		c.Print("%s\n", line)
	}
}
