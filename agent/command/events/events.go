package events

import (
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/journal"
)

// followEvery is the interval at which -t looks for new events.
const followEvery = 250 * time.Millisecond

// Commands are the commands of this package.
var Commands = slices.Concat(eventCommands, notifyCommands)

var eventCommands = []cli.Spec{
	{
		Use: "events [APP]", Role: cli.Operator, Short: "Show what dokku did by itself, and what people did",
		Long: "A line has the time, the app, the kind of event, who caused it, and what happened. Without APP, the events of the\n" +
			"server and of all apps are shown. dokku keeps some ten thousand events.",
		Example: "dokku events -n 20\ndokku events hello -t",
		Flags: func(f *pflag.FlagSet) {
			f.BoolP("tail", "t", false, "show new events until interrupted; with --format json, an object a line")
			f.StringP("num", "n", "100", "how many of the last events are shown")
			cli.FormatFlag(f)
		},
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run:    show,
	},
	{Use: "events:list", Role: cli.Admin, Short: "List the kinds of events", Run: list},
	{
		Use: "events:off [APP]", Role: cli.Operator, Short: "Record no events, of the server or of one app",
		Long: "Notifications are sent all the same.", Run: func(c *cli.Call) error { return record(c, false) },
	},
	{Use: "events:on [APP]", Role: cli.Operator, Short: "Record events again", Run: func(c *cli.Call) error { return record(c, true) }},
}

func show(c *cli.Call) error {
	most, err := strconv.Atoi(c.Value("num"))
	if err != nil || most < 0 {
		return c.UsageError("Invalid --num %q: it is how many events are shown, from 0", c.Value("num"))
	}
	if err := cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	set, err := c.Server.Settings()
	if err != nil {
		return err
	}
	switch {
	case set.NoEvents:
		c.Warn("No events are recorded: dokku events:on records them again")
	case c.App != nil && c.App.State.NoEvents:
		c.Warn("No events of %s are recorded: dokku events:on %[1]s records them again", c.App.Name)
	}
	found, tail, err := c.Server.Env.Store.Journal().Read(most, func(e journal.Event) bool { return c.App == nil || e.App == c.App.Name })
	if err != nil {
		return err
	}
	defer tail.Close()
	if c.Value("format") == "json" && !c.Flag("tail") {
		if found == nil {
			found = []journal.Event{}
		}
		return c.PrintJSON(found)
	}
	if err := printEvents(c, found); err != nil || !c.Flag("tail") {
		return err
	}
	return follow(c, tail)
}

// follow prints new events until the client goes away.
func follow(c *cli.Call, tail *journal.Tail) error {
	t := time.NewTicker(followEvery)
	defer t.Stop()
	for {
		found, err := tail.Next()
		if err == nil {
			err = printEvents(c, found)
		}
		if err != nil {
			return err
		}
		select {
		case <-c.Ctx.Done():
			return c.Ctx.Err()
		case <-t.C:
		}
	}
}

func printEvents(c *cli.Call, list []journal.Event) error {
	for _, e := range list {
		if c.Value("format") != "json" {
			c.Print("%s\n", event.Printable(e.Line()))
		} else if err := c.PrintJSON(e); err != nil {
			return err
		}
	}
	return nil
}

func list(c *cli.Call) error {
	if c.Headings() {
		c.Heading("Logged events")
	}
	for _, kind := range journal.Kinds {
		c.Print("%s\n", kind)
	}
	return nil
}

// record switches the record of events. Its texts are Dokku's.
func record(c *cli.Call, on bool) error {
	name, said := "events:on", "Enabling dokku events logger"
	if !on {
		name, said = "events:off", "Disabling dokku events logger"
		// Afterwards there is no place for it.
		c.Server.Env.Tell(journal.Event{Event: journal.Command, App: appName(c), Text: name}, event.Log{})
	}
	if c.App == nil {
		c.Print("%s\n", said)
		return c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error { set.NoEvents = !on; return nil })
	}
	c.Print("%s for %s\n", said, c.App.Name)
	return c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: name}, c.Events().WithApp(c.App.Name), func(st *app.State) error {
		st.NoEvents = !on
		return nil
	})
}

// appName is the name of the command's app; "": it is about the server.
func appName(c *cli.Call) string {
	if c.App == nil {
		return ""
	}
	return c.App.Name
}
