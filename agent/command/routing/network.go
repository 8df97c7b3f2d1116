package routing

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

var networkCommands = []cli.Spec{
	{
		Use: "network:create NAME", Role: cli.Admin, Short: "Create a network that apps and other containers can join",
		Missing: "No network name specified", Run: createNetwork,
	},
	{
		Use: "network:destroy NAME", Role: cli.Admin, Short: "Remove a network that nothing uses",
		Long:    "It asks you to type the network's name, unless --force is given.",
		Missing: "No network name specified", Words: networkNames,
		Flags: func(f *pflag.FlagSet) { f.Bool("force", false, "do not ask for confirmation") },
		Run:   destroyNetwork,
	},
	{
		Use: "network:exists NAME", Role: cli.Admin, Short: "Exit with 0 if the network exists, else with 1",
		Missing: "No network name specified", Words: networkNames,
		Run: func(c *cli.Call) error {
			if _, err := findNetwork(c, c.Args[0]); err != nil {
				return err
			}
			c.Events().Step("Network exists")
			return nil
		},
	},
	{
		Use: "network:info NAME", Role: cli.Admin, Short: "Show a network",
		Missing: "No network name specified", Words: networkNames,
		Flags:  func(f *pflag.FlagSet) { f.String("format", "text", "text or json") },
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("text", "json")},
		Run:    showNetwork,
	},
	{
		Use: "network:list", Role: cli.Admin, Short: "List the engine's networks, except the private networks of apps",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("dokku-managed", false, "only those of network:create")
			f.String("format", "text", "text or json")
		},
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("text", "json")},
		Run:    listNetworks,
	},
	{
		Use: "network:rebuild APP", Role: cli.Operator, Short: "Check the app's network and route, and repair them",
		Run: func(c *cli.Call) error {
			return c.Server.Reconcile(c.Ctx, c.App.Name, c.Events().WithApp(c.App.Name))
		},
	},
	{
		Use: "network:rebuildall", Role: cli.Admin, Short: "Check the networks and routes of all apps, and repair them",
		Run: func(c *cli.Call) error { return eachApp(c, "rebuild", (*agent.Server).Reconcile) },
	},
	networkReport.Spec("Show the networks that the app joins"),
	networkSet(),
}

// networkProperties are Dokku's. Those that name networks accept several and all have the
// same effect: the app's processes join them.
var networkProperties = cli.Properties{
	Noun: "network", Role: cli.Operator,
	List: []cli.Property{
		// On a network that others join too, an app reaches their processes.
		{Name: app.NetworkPostCreate, Admin: true}, {Name: app.NetworkPostDeploy, Admin: true},
		// Past nginx, and to what only the server reaches.
		{Name: app.NetworkBindAll, Default: "false", Admin: true},
		// Who the server is for its cloud, and what it offers to itself alone.
		{Name: app.NetworkMetadata, Default: "false", OnlyApp: true, Admin: true}, {Name: app.NetworkHostPorts, OnlyApp: true, Admin: true},
		{Name: app.NetworkInitial, Admin: true}, {Name: app.NetworkListener, OnlyApp: true, Admin: true}, {Name: app.NetworkTLD},
	},
	Get:    func(st *app.State, name string) string { return st.Network[name] },
	Put:    func(st *app.State, name, value string) { cli.Put(&st.Network, name, value) },
	Server: func(set *app.Settings) *map[string]string { return &set.Network },
}

func networkSet() cli.Spec {
	s := networkProperties.Spec("Set or unset a network setting")
	s.Use = "network:set APP KEY [VALUE...]"
	s.Long = "Properties: " + networkProperties.Names() + ".\n" +
		"The app's processes join the networks before they start, in addition to the app's own network. Their\n" +
		"name there is APP.TYPE, such as hello.web. It takes effect with the next deploy or restart.\n" +
		"bind-all-interfaces true publishes the port of each web process at all addresses of the server too, at a port\n" +
		"of Docker's choice (dokku ps:inspect APP shows it). Visitors of that port pass by nginx: by its certificates,\n" +
		"passwords and pages. static-web-listener ADDRESS:PORT takes effect at once: nginx leads to that address\n" +
		"instead of to the web processes. The app need not be deployed.\n" +
		"host-ports 5432,8125/udp opens ports of the server to the containers of an isolated app, and\n" +
		"cloud-metadata true the metadata service of a cloud; both at once.\n" +
		"Without a value, the property is unset. --global sets the default of all apps."
	s.Example = "dokku network:set hello attach-post-create databases"
	s.Run = setNetwork
	return s
}

var networkReport = cli.Reporter{
	Noun: "network",
	Keys: cli.Sorted(append(networkProperties.Keys(), "network-web-listeners")),
	// pydokku knows no such row.
	Aside: []string{"network-computed-" + app.NetworkListener, "network-" + app.NetworkHostPorts, "network-computed-" + app.NetworkHostPorts,
		"network-" + app.NetworkMetadata, "network-computed-" + app.NetworkMetadata},
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return networkProperties.Global(set), err
	},
	Collect: func(c *cli.Call, app *app.App, only string) (map[string]string, error) {
		set, err := c.Settings()
		if err != nil {
			return nil, err
		}
		values := map[string]string{}
		networkProperties.Report(values, &app.State, set)
		if cli.Needs(only, "network-web-listeners") {
			values["network-web-listeners"], err = listeners(c, app)
		}
		return values, err
	},
}

// listeners returns the addresses of the app's web processes.
func listeners(c *cli.Call, app *app.App) (string, error) {
	if at := app.State.Listener(); at.IsValid() {
		return at.String(), nil
	}
	if !app.Deployed() {
		return "", nil
	}
	instances, err := c.Instances(app)
	if err != nil {
		return "", err
	}
	var list []string
	for _, i := range instances {
		if i.Type == "web" && i.Running() {
			list = append(list, i.Reach(app.Current.Port).String())
		}
	}
	return strings.Join(list, " "), nil
}

func setNetwork(c *cli.Call) error {
	name, value := c.Args[0], strings.Join(c.Args[1:], ",")
	if err := networkProperties.Allowed(c, name); err != nil {
		return err
	}
	known := slices.ContainsFunc(networkProperties.List, func(p cli.Property) bool { return p.Name == name })
	switch {
	case name == "":
		return cli.Refuse("No property specified")
	case !known:
		return cli.Refuse("Invalid property specified, valid properties include: %s", networkProperties.Names())
	case c.App == nil && slices.Contains([]string{app.NetworkListener, app.NetworkHostPorts, app.NetworkMetadata}, name):
		return cli.Refuse("Property cannot be specified globally")
	}
	value, err := checkNetworkProperty(c, name, value)
	if err != nil {
		return err
	}
	said := fmt.Sprintf("Setting %s to %s", name, value)
	if value == "" {
		said = "Unsetting " + name
	}
	c.Events().Result("%s", said)
	if name == app.NetworkHostPorts || name == app.NetworkMetadata {
		return setHostAccess(c, name, value)
	}
	if c.App != nil {
		put := func(st *app.State) error {
			networkProperties.Put(st, name, value)
			return nil
		}
		if name != app.NetworkListener {
			return c.ChangeNext("network:set", put)
		}
		return c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: "network:set", Changes: deploy.ChangesRoute}, c.Events().WithApp(c.App.Name), put)
	}
	err = c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error {
		cli.Put(&set.Network, name, value)
		return nil
	})
	if err == nil {
		c.Events().Detail("It takes effect in each app with its next deploy or restart (dokku ps:restart --all)")
	}
	return err
}

// checkNetworkProperty returns the value in the form in which it is stored.
func checkNetworkProperty(c *cli.Call, name, value string) (string, error) {
	switch {
	case value == "":
		return "", nil
	case name == app.NetworkTLD:
		return checkTLD(value)
	case name == app.NetworkHostPorts:
		return checkHostPorts(value)
	case name == app.NetworkBindAll, name == app.NetworkMetadata:
		return value, cli.OneOf(name, value, "true", "false")
	case name == app.NetworkListener:
		return checkListener(value)
	}
	names := app.SplitNetworks(value)
	if len(names) == 0 {
		return "", cli.Refuse("Invalid network name specified for attach: %q", event.OneLine(value))
	}
	for i, n := range names {
		if err := agent.ValidNetworkName(n); err != nil {
			return "", cli.Refuse("Invalid network name specified for attach: %s", err)
		}
		if slices.Contains(names[:i], n) || joinsElsewhere(c, name, n) {
			return "", cli.Refuse("Network name already associated with this app: %s", n)
		}
	}
	err := c.Server.Joinable(c.Ctx, names)
	if missing := new(deploy.NoNetworkError); errors.As(err, &missing) { // it may come before the next deploy, which needs it
		c.Warn("%s", err)
		err = nil
	}
	return strings.Join(names, ","), err
}

// checkListener takes an address of one program, with its port: nginx would look a name up
// once, when it reads its configuration.
func checkListener(value string) (string, error) {
	at, err := netip.ParseAddrPort(value)
	if err != nil || at.Port() == 0 || at.Addr().Zone() != "" || at.Addr().IsUnspecified() || at.Addr().IsMulticast() {
		return "", cli.Refuse("Invalid static-web-listener specified: %q is not an address with a port, such as 127.0.0.1:8080", event.OneLine(value))
	}
	return at.String(), nil
}

func checkTLD(value string) (string, error) {
	tld, err := agent.ParseDomain(value)
	if err != nil || strings.HasPrefix(tld, "*") || tld == proxy.CatchAll {
		return "", cli.Refuse("Invalid tld specified: %q is not the end of a host name, such as svc.cluster.local", event.OneLine(value))
	}
	return tld, nil
}

// joinsElsewhere reports whether another property of the app names the network.
func joinsElsewhere(c *cli.Call, property, network string) bool {
	if c.App == nil {
		return false
	}
	for name, list := range c.App.State.Network {
		if name != property && slices.Contains(app.SplitNetworks(list), network) {
			return true
		}
	}
	return false
}

func createNetwork(c *cli.Call) error {
	name := c.Args[0]
	if err := agent.ValidNetworkName(name); err != nil {
		return cli.Refuse("Invalid network name: %s", err)
	}
	c.Events().Step("Creating network %s", name)
	err := c.Server.CreateNetwork(c.Ctx, name)
	if errors.Is(err, engine.ErrNetworkExists) {
		return cli.Refuse("Network %s already exists", name)
	}
	return err
}

func destroyNetwork(c *cli.Call) error {
	name := c.Args[0]
	if err := agent.ValidNetworkName(name); err != nil {
		return cli.Refuse("Invalid network name: %s", err)
	}
	if !c.Force && !c.Flag("force") {
		if err := c.Confirm(name, "network "+name); err != nil {
			return err
		}
	}
	c.Events().Step("Destroying network %s", name)
	return c.Server.DestroyNetwork(c.Ctx, name)
}

// findNetwork returns the network with a name.
func findNetwork(c *cli.Call, name string) (engine.NetworkInfo, error) {
	if name == "" {
		return engine.NetworkInfo{}, cli.Refuse("No network name specified")
	}
	all, err := c.Server.Networks(c.Ctx)
	if err != nil {
		return engine.NetworkInfo{}, err
	}
	at := slices.IndexFunc(all, func(n engine.NetworkInfo) bool { return n.Name == name })
	if at < 0 {
		return engine.NetworkInfo{}, cli.Refuse("Network does not exist")
	}
	return all[at], nil
}

func networkNames(c *cli.Call) []string {
	var names []string
	if all, err := c.Server.Networks(c.Ctx); err == nil {
		for _, n := range all {
			names = append(names, n.Name)
		}
	}
	return names
}

// networkEntry is a network in the JSON of Dokku's commands.
type networkEntry struct {
	CreatedAt    time.Time         `json:"CreatedAt"`
	DokkuManaged bool              `json:"DokkuManaged"`
	Driver       string            `json:"Driver"`
	ID           string            `json:"ID"`
	Internal     bool              `json:"Internal"`
	IPv6         bool              `json:"IPv6"`
	Labels       map[string]string `json:"Labels"`
	Name         string            `json:"Name"`
	Scope        string            `json:"Scope"`
}

func newNetworkEntry(n engine.NetworkInfo) networkEntry {
	return networkEntry{n.Created.UTC(), n.Managed, n.Driver, n.ID, n.Internal, n.IPv6, n.Labels, n.Name, n.Scope}
}

func showNetwork(c *cli.Call) error {
	format := c.Value("format")
	if err := cli.OneOf("format", format, "text", "json"); err != nil {
		return err
	}
	n, err := findNetwork(c, c.Args[0])
	if err != nil {
		return err
	}
	if format == "json" {
		return c.PrintJSON(newNetworkEntry(n))
	}
	if c.Headings() {
		c.Heading("%s network information", n.Name)
	}
	for _, line := range [][2]string{{"ID:", n.ID}, {"Name:", n.Name}, {"Driver:", n.Driver}, {"Scope:", n.Scope}} {
		c.Print("       %-10s%s\n", line[0], line[1])
	}
	return nil
}

func listNetworks(c *cli.Call) error {
	format := c.Value("format")
	if err := cli.OneOf("format", format, "text", "json"); err != nil {
		return err
	}
	all, err := c.Server.Networks(c.Ctx)
	if err != nil {
		return err
	}
	if c.Flag("dokku-managed") {
		all = slices.DeleteFunc(all, func(n engine.NetworkInfo) bool { return !n.Managed })
	}
	if format == "json" {
		list := []networkEntry{}
		for _, n := range all {
			list = append(list, newNetworkEntry(n))
		}
		return c.PrintJSON(list)
	}
	if c.Headings() {
		c.Heading("Networks")
	}
	for _, n := range all {
		c.Print("%s\n", cli.VisibleValue(n.Name))
	}
	return nil
}
