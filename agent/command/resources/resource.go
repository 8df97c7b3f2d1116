package resources

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/scale"
)

// Commands are the commands of this package.
var Commands = slices.Concat(storageCommands, mountBackups.Commands(), []cli.Spec{restoreMount}, isolationCommands, resourceCommands)

var resourceCommands = []cli.Spec{
	resourceSet(limitResources),
	resourceClear(limitResources),
	resourceReport.Spec("Show the limits and reservations of the app's processes"),
	resourceSet(reserveResources),
	resourceClear(reserveResources),
}

// A resourceKind is one kind of resource settings: limits, or reservations.
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

var limitResources = resourceKind{app.ResourceLimit, "limits", []resource{
	{"cpu", "CPUs, such as 0.5", checkCPU},
	{"memory", "megabytes, or a size such as 512m or 1g; a process that uses more is killed", checkMemory},
	{"memory-swap", "memory and swap together, at least as much as --memory", checkMemory},
	{gpu, "not supported", noGPU},
	{"network", onlyStored, checkNothing},
	{"network-ingress", onlyStored, checkNothing},
	{"network-egress", onlyStored, checkNothing},
}}

// gpu is a limit of Dokku's that is refused.
const gpu = "nvidia-gpu"

func noGPU(string) error {
	return errors.New("no container gets a GPU of the server; Dokku has it; here: run what needs one as a container of your own, on a network that the app joins (dokku network:create)")
}

func checkNothing(string) error { return nil }

var reserveResources = resourceKind{app.ResourceReserve, "reservation", []resource{
	{"cpu", onlyStored, checkCPU},
	{"memory", "megabytes, or a size such as 512m or 1g", checkMemory},
	{"memory-swap", onlyStored, checkMemory},
	{gpu, "not supported", noGPU},
	{"network", onlyStored, checkNothing},
	{"network-ingress", onlyStored, checkNothing},
	{"network-egress", onlyStored, checkNothing},
}}

const onlyStored = "stored, as Dokku does, and without effect"

func checkCPU(value string) error    { _, err := app.ParseCPU(value); return err }
func checkMemory(value string) error { _, err := app.ParseMemory(value); return err }

func resourceSet(k resourceKind) cli.Spec {
	s := cli.Spec{
		Use: "resource:" + k.kind + " APP", Role: cli.Operator, Short: "Set or show the limits of the app's processes",
		Long: "Without values, it shows the present ones. The value \"clear\" unsets a value.\n" +
			"The values apply to all process types without values of their own, or to the type of --process-type,\n" +
			"and take effect with the next deploy or restart.",
		Example: "dokku resource:limit --memory 512 --cpu 0.5 --process-type worker hello",
		Flags: func(f *pflag.FlagSet) {
			processTypeFlag(f)
			for _, r := range k.list {
				f.String(r.name, "", r.help)
			}
		},
		Values: map[string]func(*cli.Call) []string{"process-type": (*cli.Call).Types},
		Run:    func(c *cli.Call) error { return k.set(c) },
	}
	if k.kind == app.ResourceReserve {
		s.Short = "Set or show how much memory the app's processes keep when the host runs short"
		s.Example = "dokku resource:reserve --memory 256 hello"
	}
	return s
}

func resourceClear(k resourceKind) cli.Spec {
	return cli.Spec{
		Use: "resource:" + k.kind + "-clear APP", Role: cli.Operator, Short: "Unset the app's " + strings.TrimSuffix(k.noun, "s") + "s",
		Long:  "It takes effect with the next deploy or restart.",
		Flags: processTypeFlag, Values: map[string]func(*cli.Call) []string{"process-type": (*cli.Call).Types},
		Run: func(c *cli.Call) error { return k.clear(c) },
	}
}

func processTypeFlag(f *pflag.FlagSet) {
	f.String("process-type", "", "only this process type; "+app.DefaultType+" means the types without values of their own")
}

// processType returns the value of --process-type; "" without the flag.
func processType(c *cli.Call) (string, error) {
	t := c.Value("process-type")
	if !c.Changed("process-type") {
		return "", nil
	}
	if !scale.ValidType(t) {
		return "", cli.Refuse("Invalid process type %q: it needs letters, digits, _ and -", event.OneLine(t))
	}
	return t, nil
}

func (k resourceKind) set(c *cli.Call) error {
	ptype, err := processType(c)
	if err != nil {
		return err
	}
	ptype = cmp.Or(ptype, app.DefaultType)
	change, err := k.values(c)
	if err != nil {
		return err
	}
	if len(change) == 0 {
		return k.show(c, ptype)
	}
	if err := k.bounded(c, change); err != nil {
		return err
	}
	after := k.apply(c.App.State.Resources, ptype, change)
	if err := app.CheckResources(after); err != nil {
		return cli.Refuse("Invalid resources: %s", err)
	}
	if known := c.Types(); c.App.Deployed() && ptype != app.DefaultType && !slices.Contains(known, ptype) &&
		!slices.Contains([]string{"release", "predeploy", "postdeploy", "run"}, ptype) {
		c.Warn("App %s has no process type %s yet, it has: %s", c.App.Name, ptype, strings.Join(known, ", "))
	}
	k.announce(c, ptype, change)
	k.warnWithoutEffect(c, change)
	return c.ChangeNext("resource:"+k.kind, func(st *app.State) error {
		// The state may have changed since the check above.
		next := k.apply(st.Resources, ptype, change)
		if err := app.CheckResources(next); err != nil {
			return cli.Refuse("Invalid resources: %s", err)
		}
		st.Resources = next
		return nil
	})
}

// bounded refuses an operator more memory than the server gives a container by itself.
func (k resourceKind) bounded(c *cli.Call, change map[string]string) error {
	if c.Admin() {
		return nil
	}
	v, err := c.View(c.App)
	if err != nil {
		return err
	}
	for _, name := range []string{"memory", "memory-swap"} {
		if change[name] == "" {
			continue
		}
		n, _ := app.ParseMemory(change[name]) // values has checked it
		if err := v.CheckMaxMemory(n); err != nil {
			return cli.Refuse("Invalid --%s %s: %w", name, change[name], err)
		}
	}
	return nil
}

// warnWithoutEffect names the values that this host cannot give.
func (k resourceKind) warnWithoutEffect(c *cli.Call, change map[string]string) {
	if k.kind == app.ResourceReserve {
		if change["cpu"] != "" {
			c.Warn("The value of cpu is stored, but an engine reserves no CPUs")
		}
		if change["memory-swap"] != "" {
			c.Warn("The value of memory-swap is stored, but an engine reserves no swap")
		}
	} else if n, err := strconv.ParseFloat(change["cpu"], 64); err == nil && n > float64(runtime.NumCPU()) {
		c.Warn("This host has %d CPUs: that is the limit until it has more", runtime.NumCPU())
	}
	for _, name := range slices.Sorted(maps.Keys(change)) {
		if strings.HasPrefix(name, "network") && change[name] != "" {
			c.Warn("The value of %s is stored, but nothing limits the network of containers", name)
		}
	}
}

// values returns the values of the command line, by name; "" clears a value.
func (k resourceKind) values(c *cli.Call) (map[string]string, error) {
	change := map[string]string{}
	for _, r := range k.list {
		if !c.Changed(r.name) {
			continue
		}
		value := c.Value(r.name)
		if value == "clear" {
			change[r.name] = ""
			continue
		}
		if err := r.check(value); err != nil {
			return nil, cli.Refuse("Invalid --%s: %s", r.name, err)
		}
		change[r.name] = value
	}
	return change, nil
}

func (k resourceKind) apply(resources map[string]string, ptype string, change map[string]string) map[string]string {
	next := maps.Clone(resources)
	for name, value := range change {
		cli.Put(&next, app.ResourceKey(ptype, k.kind, name), value)
	}
	return next
}

func (k resourceKind) announce(c *cli.Call, ptype string, change map[string]string) {
	log := c.Events().WithApp(c.App.Name)
	of := ""
	if ptype != app.DefaultType {
		of = fmt.Sprintf(" (%s)", ptype)
	}
	log.Result("Setting resource %s for %s%s", k.noun, c.App.Name, of)
	for _, name := range slices.Sorted(maps.Keys(change)) {
		value := change[name]
		if value == "" {
			value = "cleared"
		}
		log.Detail("%s: %s", name, value)
	}
}

func (k resourceKind) show(c *cli.Call, ptype string) error {
	if c.Headings() {
		of := " [defaults]"
		if ptype != app.DefaultType {
			of = fmt.Sprintf(" (%s)", ptype)
		}
		c.Heading("resource %s %s information%s", k.noun, c.App.Name, of)
	}
	for _, r := range k.list {
		value := c.App.State.Resources[app.ResourceKey(ptype, k.kind, r.name)]
		if value == "" && r.name != "cpu" && (r.name == gpu || r.help == onlyStored) {
			continue // few know it
		}
		line := fmt.Sprintf("       %s: %s", r.name, value)
		c.Print("%s\n", strings.TrimRight(line, " "))
	}
	return nil
}

func (k resourceKind) clear(c *cli.Call) error {
	ptype, err := processType(c)
	if err != nil {
		return err
	}
	remove := func(key, _ string) bool {
		parts := strings.SplitN(key, ".", 3)
		return len(parts) == 3 && parts[1] == k.kind && (ptype == "" || parts[0] == ptype)
	}
	cleared := func(resources map[string]string) (map[string]string, error) {
		next := maps.Clone(resources)
		maps.DeleteFunc(next, remove)
		if err := app.CheckResources(next); err != nil {
			return nil, cli.Refuse("Invalid resources: %s", err)
		}
		return next, nil
	}
	if _, err := cleared(c.App.State.Resources); err != nil {
		return err
	}
	said := fmt.Sprintf("clearing %s %s", c.App.Name, k.noun)
	if ptype != "" && ptype != app.DefaultType {
		said += fmt.Sprintf(" (%s)", ptype)
	}
	c.Events().WithApp(c.App.Name).Result("%s", said)
	return c.ChangeNext("resource:"+k.kind+"-clear", func(st *app.State) (err error) {
		st.Resources, err = cleared(st.Resources)
		return err
	})
}

var resourceReport = cli.Reporter{
	Noun: "resource",
	Keys: []string{"resource-"},
	Collect: func(_ *cli.Call, app *app.App, _ string) (map[string]string, error) {
		values := map[string]string{}
		for key, value := range app.State.Resources {
			values["resource-"+key] = value
		}
		return values, nil
	},
	Plain: true,
	Rest:  "TYPE.limit.NAME",
}
