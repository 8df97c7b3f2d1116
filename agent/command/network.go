package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/agent/engine"
)

var networkCommands = []spec{
	{
		use: "network:create NAME", short: "Make a network that apps and other containers can join",
		missing: "No network name specified", run: createNetwork,
	},
	{
		use: "network:destroy NAME", short: "Remove a network that nothing uses",
		long:    "The network's name has to be typed, unless --force is given.",
		missing: "No network name specified", words: networkNames,
		flags: func(f *pflag.FlagSet) { f.Bool("force", false, "do not ask") },
		run:   destroyNetwork,
	},
	{
		use: "network:exists NAME", short: "Exit with 0 if the network exists, else with 1",
		missing: "No network name specified", words: networkNames,
		run: func(c *call) error {
			if _, err := c.network(c.args[0]); err != nil {
				return err
			}
			c.events().Step("Network exists")
			return nil
		},
	},
	{
		use: "network:info NAME", short: "Show a network",
		missing: "No network name specified", words: networkNames,
		flags:  func(f *pflag.FlagSet) { f.String("format", "text", "text or json") },
		values: map[string]func(*call) []string{"format": oneOfWords("text", "json")},
		run:    showNetwork,
	},
	{
		use: "network:list", short: "List the engine's networks, except those of single apps",
		flags:  func(f *pflag.FlagSet) { f.String("format", "text", "text or json") },
		values: map[string]func(*call) []string{"format": oneOfWords("text", "json")},
		run:    listNetworks,
	},
	{
		use: "network:rebuild APP", short: "Look at the app's network and route, and mend what is not as it should be",
		run: func(c *call) error {
			return c.server.Reconcile(c.ctx, c.app.Name, c.events().WithApp(c.app.Name))
		},
	},
	networkReport.spec("Show the networks that the app joins"),
	networkSet(),
}

// networkProperties are Dokku's. Those that name networks take several, and do
// the same: see agent.Attached.
var networkProperties = properties{
	noun: "network",
	list: []property{
		{name: agent.NetworkPostCreate}, {name: agent.NetworkPostDeploy},
		{name: "bind-all-interfaces", fixed: "false"},
		{name: agent.NetworkInitial}, {name: agent.NetworkTLD},
	},
	get:    func(st *agent.State, name string) string { return st.Network[name] },
	put:    func(st *agent.State, name, value string) { put(&st.Network, name, value) },
	server: func(set *agent.Settings) *map[string]string { return &set.Network },
}

func networkSet() spec {
	s := networkProperties.spec("Set or unset a network setting")
	s.use = "network:set APP KEY [VALUE...]"
	s.long = "Properties: " + networkProperties.names() + ".\n" +
		"The app's processes join the networks before they start, beside the app's own network, and are\n" +
		"known there as APP.TYPE, such as hello.web. It takes effect with the next deploy or restart.\n" +
		"Without a value the property is unset. --global sets the default of all apps."
	s.example = "dokku network:set hello attach-post-create databases"
	s.run = setNetwork
	return s
}

var networkReport = reporter{
	noun: "network",
	keys: sorted(append(networkProperties.keys(), "network-web-listeners")),
	collect: func(c *call, app *agent.App, only string) (map[string]string, error) {
		set, err := c.server.Settings()
		if err != nil {
			return nil, err
		}
		values := map[string]string{}
		networkProperties.report(values, &app.State, set)
		if needs(only, "network-web-listeners") {
			values["network-web-listeners"], err = c.listeners(app)
		}
		return values, err
	},
}

// listeners are the addresses of the app's web processes.
func (c *call) listeners(app *agent.App) (string, error) {
	if !app.Deployed() {
		return "", nil
	}
	instances, err := c.server.Instances(c.ctx, app)
	if err != nil {
		return "", err
	}
	var list []string
	for _, i := range instances {
		if i.Type == "web" && i.Running() {
			list = append(list, net.JoinHostPort(i.Address.String(), strconv.Itoa(app.Current.Port)))
		}
	}
	return strings.Join(list, " "), nil
}

func setNetwork(c *call) error {
	name, value := c.args[0], strings.Join(c.args[1:], ",")
	known := slices.ContainsFunc(networkProperties.list, func(p property) bool { return p.name == name })
	switch {
	case name == "":
		return refuse("No property specified")
	case !known:
		return refuse("Invalid property specified, valid properties include: %s", networkProperties.names())
	}
	value, err := c.checkNetworkProperty(name, value)
	if err != nil {
		return err
	}
	said := fmt.Sprintf("Setting %s to %s", name, value)
	if value == "" {
		said = "Unsetting " + name
	}
	c.events().Result("%s", said)
	if c.app != nil {
		return c.changeNext("network:set", func(st *agent.State) error {
			networkProperties.put(st, name, value)
			return nil
		})
	}
	err = c.server.UpdateSettings(c.ctx, func(set *agent.Settings) error {
		put(&set.Network, name, value)
		return nil
	})
	if err == nil {
		c.events().Detail("Apps get it with their next deploy or restart (ps:restart --all)")
	}
	return err
}

// checkNetworkProperty returns the value as it is stored.
func (c *call) checkNetworkProperty(name, value string) (string, error) {
	switch {
	case value == "":
		return "", nil
	case name == agent.NetworkTLD:
		value = strings.ToLower(value)
		return value, checkTLD(value)
	case name == "bind-all-interfaces":
		if value == "true" {
			return "", refuse("Invalid bind-all-interfaces specified: proxy:disable gives web a port of the host")
		}
		return value, oneOf("bind-all-interfaces", value, "false")
	}
	names := agent.SplitNetworks(value)
	if len(names) == 0 {
		return "", refuse("Invalid network name specified for attach: %q", oneLine(value))
	}
	for i, n := range names {
		if err := agent.ValidNetworkName(n); err != nil {
			return "", refuse("Invalid network name specified for attach: %s", err)
		}
		if slices.Contains(names[:i], n) || c.joinsElsewhere(name, n) {
			return "", refuse("Network name already associated with this app: %s", n)
		}
	}
	return strings.Join(names, ","), c.server.Joinable(c.ctx, names)
}

func checkTLD(value string) error {
	if err := checkDomain(value); err != nil || strings.HasPrefix(value, "*") {
		return refuse("Invalid tld specified: %q is not the end of a host name, such as svc.cluster.local", oneLine(value))
	}
	return nil
}

// joinsElsewhere reports whether another property of the app names the network.
func (c *call) joinsElsewhere(property, network string) bool {
	if c.app == nil {
		return false
	}
	for name, list := range c.app.State.Network {
		if name != property && slices.Contains(agent.SplitNetworks(list), network) {
			return true
		}
	}
	return false
}

func createNetwork(c *call) error {
	name := c.args[0]
	if err := agent.ValidNetworkName(name); err != nil {
		return refuse("Invalid network name: %s", err)
	}
	c.events().Step("Creating network %s", name)
	err := c.server.CreateNetwork(c.ctx, name)
	if errors.Is(err, engine.ErrNetworkExists) {
		return refuse("Network %s already exists", name)
	}
	return err
}

func destroyNetwork(c *call) error {
	name := c.args[0]
	if err := agent.ValidNetworkName(name); err != nil {
		return refuse("Invalid network name: %s", err)
	}
	if !c.force && !c.flag("force") {
		if err := confirm(c, name, "network "+name); err != nil {
			return err
		}
	}
	c.events().Step("Destroying network %s", name)
	return c.server.DestroyNetwork(c.ctx, name)
}

// network finds a network by its name.
func (c *call) network(name string) (engine.NetworkInfo, error) {
	if name == "" {
		return engine.NetworkInfo{}, refuse("No network name specified")
	}
	all, err := c.server.Networks(c.ctx)
	if err != nil {
		return engine.NetworkInfo{}, err
	}
	at := slices.IndexFunc(all, func(n engine.NetworkInfo) bool { return n.Name == name })
	if at < 0 {
		return engine.NetworkInfo{}, refuse("Network does not exist")
	}
	return all[at], nil
}

func networkNames(c *call) []string {
	var names []string
	if all, err := c.server.Networks(c.ctx); err == nil {
		for _, n := range all {
			names = append(names, n.Name)
		}
	}
	return names
}

// networkEntry is a network in the JSON of Dokku's commands.
type networkEntry struct {
	CreatedAt time.Time         `json:"CreatedAt"`
	Driver    string            `json:"Driver"`
	ID        string            `json:"ID"`
	Internal  bool              `json:"Internal"`
	Labels    map[string]string `json:"Labels"`
	Name      string            `json:"Name"`
	Scope     string            `json:"Scope"`
}

func newNetworkEntry(n engine.NetworkInfo) networkEntry {
	return networkEntry{n.Created.UTC(), n.Driver, n.ID, n.Internal, n.Labels, n.Name, n.Scope}
}

func showNetwork(c *call) error {
	format := c.value("format")
	if err := oneOf("format", format, "text", "json"); err != nil {
		return err
	}
	n, err := c.network(c.args[0])
	if err != nil {
		return err
	}
	if format == "json" {
		data, err := json.Marshal(newNetworkEntry(n))
		c.print("%s\n", data)
		return err
	}
	if c.headings() {
		c.print("=====> %s network information\n", n.Name)
	}
	for _, line := range [][2]string{{"ID:", n.ID}, {"Name:", n.Name}, {"Driver:", n.Driver}, {"Scope:", n.Scope}} {
		c.print("       %-10s%s\n", line[0], line[1])
	}
	return nil
}

func listNetworks(c *call) error {
	format := c.value("format")
	if err := oneOf("format", format, "text", "json"); err != nil {
		return err
	}
	all, err := c.server.Networks(c.ctx)
	if err != nil {
		return err
	}
	if format == "json" {
		list := []networkEntry{}
		for _, n := range all {
			list = append(list, newNetworkEntry(n))
		}
		data, err := json.Marshal(list)
		c.print("%s\n", data)
		return err
	}
	if c.headings() {
		c.print("=====> Networks\n")
	}
	for _, n := range all {
		c.print("%s\n", visibleValue(n.Name))
	}
	return nil
}
