package command

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/scale"
)

var resourceCommands = []spec{
	resourceSet(limitResources),
	resourceClear(limitResources),
	resourceReport.spec("Show the limits and reservations of the app's processes"),
	resourceSet(reserveResources),
	resourceClear(reserveResources),
}

// A resourceKind is what the commands of a kind have in common.
type resourceKind struct {
	kind string // "limit"
	noun string // in Dokku's messages
	list []resource
}

// A resource is one value of a kind.
type resource struct {
	name  string
	help  string
	check func(value string) error
}

var limitResources = resourceKind{agent.ResourceLimit, "limits", []resource{
	{"cpu", "CPUs, such as 0.5", checkCPU},
	{"memory", "megabytes, or a size such as 512m or 1g; who needs more is killed", checkMemory},
	{"memory-swap", "memory and swap together, at least as much as --memory", checkMemory},
}}

var reserveResources = resourceKind{agent.ResourceReserve, "reservation", []resource{
	{"memory", "megabytes, or a size such as 512m or 1g", checkMemory},
}}

func checkCPU(value string) error    { _, err := agent.ParseCPU(value); return err }
func checkMemory(value string) error { _, err := agent.ParseMemory(value); return err }

func resourceSet(k resourceKind) spec {
	s := spec{
		use: "resource:" + k.kind + " APP", short: "Set or show what the app's processes may use at most",
		long: "Without values, those that are set are shown. The value \"clear\" unsets one.\n" +
			"They hold for all process types that have none of their own, or with --process-type for that one,\n" +
			"and take effect with the next deploy or restart.",
		example: "dokku resource:limit --memory 512 --cpu 0.5 --process-type worker hello",
		flags: func(f *pflag.FlagSet) {
			processTypeFlag(f)
			for _, r := range k.list {
				f.String(r.name, "", r.help)
			}
		},
		values: map[string]func(*call) []string{"process-type": (*call).types},
		run:    func(c *call) error { return k.set(c) },
	}
	if k.kind == agent.ResourceReserve {
		s.short = "Set or show how much memory the app's processes keep when it runs short"
		s.example = "dokku resource:reserve --memory 256 hello"
	}
	return s
}

func resourceClear(k resourceKind) spec {
	return spec{
		use: "resource:" + k.kind + "-clear APP", short: "Unset the app's " + strings.TrimSuffix(k.noun, "s") + "s",
		long:  "It takes effect with the next deploy or restart.",
		flags: processTypeFlag, values: map[string]func(*call) []string{"process-type": (*call).types},
		run: func(c *call) error { return k.clear(c) },
	}
}

func processTypeFlag(f *pflag.FlagSet) {
	f.String("process-type", "", "only this process type; "+agent.DefaultType+" stands for those without values of their own")
}

// processType returns the value of --process-type, "" without one.
func (c *call) processType() (string, error) {
	t := c.value("process-type")
	if !c.changed("process-type") {
		return "", nil
	}
	if !scale.ValidType(t) {
		return "", refuse("Invalid process type %q: it needs letters, digits, _ and -", oneLine(t))
	}
	return t, nil
}

func (k resourceKind) set(c *call) error {
	ptype, err := c.processType()
	if err != nil {
		return err
	}
	ptype = cmp.Or(ptype, agent.DefaultType)
	change, err := k.values(c)
	if err != nil {
		return err
	}
	if len(change) == 0 {
		return k.show(c, ptype)
	}
	after := k.apply(c.app.State.Resources, ptype, change)
	if err := agent.CheckResources(after); err != nil {
		return refuse("Invalid resources: %s", err)
	}
	if known := c.types(); c.app.Deployed() && ptype != agent.DefaultType && !slices.Contains(known, ptype) &&
		!slices.Contains([]string{"release", "predeploy", "postdeploy", "run"}, ptype) {
		c.warn("App %s has no process type %s yet, it has: %s", c.app.Name, ptype, strings.Join(known, ", "))
	}
	k.announce(c, ptype, change)
	return c.changeNext("resource:"+k.kind, func(st *agent.State) error {
		// The state may have changed since it was looked at.
		next := k.apply(st.Resources, ptype, change)
		if err := agent.CheckResources(next); err != nil {
			return refuse("Invalid resources: %s", err)
		}
		st.Resources = next
		return nil
	})
}

// values are those that the command line sets, by name, "" for what it clears.
func (k resourceKind) values(c *call) (map[string]string, error) {
	change := map[string]string{}
	for _, r := range k.list {
		if !c.changed(r.name) {
			continue
		}
		value := c.value(r.name)
		if value == "clear" {
			change[r.name] = ""
			continue
		}
		if err := r.check(value); err != nil {
			return nil, refuse("Invalid --%s: %s", r.name, err)
		}
		change[r.name] = value
	}
	return change, nil
}

func (k resourceKind) apply(resources map[string]string, ptype string, change map[string]string) map[string]string {
	next := maps.Clone(resources)
	for name, value := range change {
		put(&next, agent.ResourceKey(ptype, k.kind, name), value)
	}
	return next
}

func (k resourceKind) announce(c *call, ptype string, change map[string]string) {
	log := c.events().WithApp(c.app.Name)
	of := ""
	if ptype != agent.DefaultType {
		of = fmt.Sprintf(" (%s)", ptype)
	}
	log.Result("Setting resource %s for %s%s", k.noun, c.app.Name, of)
	for _, name := range slices.Sorted(maps.Keys(change)) {
		value := change[name]
		if value == "" {
			value = "cleared"
		}
		log.Detail("%s: %s", name, value)
	}
}

func (k resourceKind) show(c *call, ptype string) error {
	if c.headings() {
		of := " [defaults]"
		if ptype != agent.DefaultType {
			of = fmt.Sprintf(" (%s)", ptype)
		}
		c.print("=====> resource %s %s information%s\n", k.noun, c.app.Name, of)
	}
	for _, r := range k.list {
		line := fmt.Sprintf("       %s: %s", r.name, c.app.State.Resources[agent.ResourceKey(ptype, k.kind, r.name)])
		c.print("%s\n", strings.TrimRight(line, " "))
	}
	return nil
}

func (k resourceKind) clear(c *call) error {
	ptype, err := c.processType()
	if err != nil {
		return err
	}
	goes := func(key, _ string) bool {
		parts := strings.SplitN(key, ".", 3)
		return len(parts) == 3 && parts[1] == k.kind && (ptype == "" || parts[0] == ptype)
	}
	cleared := func(resources map[string]string) (map[string]string, error) {
		next := maps.Clone(resources)
		maps.DeleteFunc(next, goes)
		if err := agent.CheckResources(next); err != nil {
			return nil, refuse("Invalid resources: %s", err)
		}
		return next, nil
	}
	if _, err := cleared(c.app.State.Resources); err != nil {
		return err
	}
	said := fmt.Sprintf("clearing %s %s", c.app.Name, k.noun)
	if ptype != "" && ptype != agent.DefaultType {
		said += fmt.Sprintf(" (%s)", ptype)
	}
	c.events().WithApp(c.app.Name).Result("%s", said)
	return c.changeNext("resource:"+k.kind+"-clear", func(st *agent.State) (err error) {
		st.Resources, err = cleared(st.Resources)
		return err
	})
}

var resourceReport = reporter{
	noun: "resource",
	keys: []string{"resource-"},
	collect: func(_ *call, app *agent.App, only string) (map[string]string, error) {
		values := map[string]string{}
		for key, value := range app.State.Resources {
			values["resource-"+key] = value
		}
		// One that is not set has a name all the same.
		if parts := strings.Split(only, "."); len(parts) == 3 && values[only] == "" && knownResource(parts[1], parts[2]) {
			values[only] = ""
		}
		return values, nil
	},
	plain: true,
}

func knownResource(kind, name string) bool {
	for _, k := range []resourceKind{limitResources, reserveResources} {
		if k.kind == kind && slices.ContainsFunc(k.list, func(r resource) bool { return r.name == name }) {
			return true
		}
	}
	return false
}
