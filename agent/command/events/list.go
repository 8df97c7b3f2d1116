package events

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/text"
)

func listHooks(c *cli.Call) error {
	if err := cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	list, err := allHooks(c)
	if err != nil {
		return err
	}
	if c.Value("format") == "json" {
		if list == nil {
			list = []hook{}
		}
		return c.PrintJSON(list)
	}
	if c.Headings() {
		c.Heading("Notifications")
	}
	var rows [][]string
	for _, h := range list {
		rows = append(rows, []string{h.ID, cmp.Or(h.App, "--global"), h.URL, strings.Join(h.On, ","), h.Format, h.outcome()})
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("%s\n", line)
	}
	return nil
}

// outcome is what became of a hook's notifications, for people.
func (h hook) outcome() string {
	var parts []string
	switch {
	case h.Error != "":
		parts = append(parts, h.Error)
	case !h.Delivered.IsZero():
		parts = append(parts, "delivered "+h.Delivered.UTC().Format(time.RFC3339))
	default:
		parts = append(parts, "not used yet")
	}
	if h.Pending > 0 {
		parts = append(parts, fmt.Sprintf("%d pending", h.Pending))
	}
	if h.Dropped > 0 {
		parts = append(parts, fmt.Sprintf("%d given up", h.Dropped))
	}
	return strings.Join(parts, ", ")
}

var reportKeys = []string{"notify-delivered", "notify-dropped", "notify-hooks", "notify-last-error", "notify-last-status", "notify-last-try", "notify-pending"}

var report = cli.Reporter{
	Noun: "notify",
	Keys: reportKeys,
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Server.Settings()
		if err != nil {
			return nil, err
		}
		return reported(c, "", set.Hooks)
	},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		return reported(c, a.Name, a.State.Hooks)
	},
}

// reported has a value of each hook, with its id before it: "k3x7m2ab=200".
func reported(c *cli.Call, owner string, hooks []app.Hook) (map[string]string, error) {
	list, err := shown(c, owner, hooks)
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	add := func(key string, h hook, value string) {
		if values["notify-"+key] != "" && value != "" {
			values["notify-"+key] += " "
		}
		if value != "" {
			values["notify-"+key] += h.ID + "=" + value
		}
	}
	for _, key := range reportKeys {
		values[key] = ""
	}
	for _, h := range list {
		add("hooks", h, h.URL)
		add("delivered", h, stamp(h.Delivered))
		add("last-try", h, stamp(h.LastTry))
		add("last-error", h, h.Error)
		add("pending", h, strconv.Itoa(h.Pending))
		add("dropped", h, strconv.Itoa(h.Dropped))
		if !h.LastTry.IsZero() {
			add("last-status", h, strconv.Itoa(h.Status))
		}
	}
	return values, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
