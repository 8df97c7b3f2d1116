package routing

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/text"
)

const noMapping = "No port mapping specified"

var portCommands = []cli.Spec{
	{
		Use: "ports:add APP MAPPING...", Role: cli.Operator, Short: "Add port mappings to the app", Missing: noMapping,
		Long:    portsLong,
		Example: "dokku ports:add hello http:8080:5000",
		Run:     func(c *cli.Call) error { return changePorts(c, "ports:add", addPorts) },
	},
	{
		Use: "ports:clear APP", Role: cli.Operator, Short: "Remove the app's own port mappings: it has the default one then",
		Run: func(c *cli.Call) error {
			log := c.Events().WithApp(c.App.Name)
			err := c.Server.SetPorts(c.Ctx, c.App.Name, "ports:clear", log, func([]app.PortMap) ([]app.PortMap, error) { return nil, nil })
			if err == nil {
				log.Step("Cleared port mappings for %s", c.App.Name)
			}
			return err
		},
	},
	{
		Use: "ports:list APP", Role: cli.Operator, Short: "List the app's own port mappings",
		Flags: cli.FormatFlag, Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run: listPorts,
	},
	{
		Use: "ports:remove APP MAPPING...", Role: cli.Operator, Short: "Remove port mappings of the app", Missing: noMapping,
		Long:    "Give a mapping in full, as SCHEME:HOST-PORT, or as HOST-PORT.",
		Example: "dokku ports:remove hello 8080",
		Words:   portWords,
		Run:     removePorts,
	},
	portsReport.Spec("Show the app's port mappings, and the port that its image exposes"),
	{
		Use: "ports:set APP MAPPING...", Role: cli.Operator, Short: "Set the app's port mappings to exactly these", Missing: noMapping,
		Long: portsLong + "\nFor all apps without mappings of their own: with --global expose-mapping dokku, an image with EXPOSE 3000 is\n" +
			"served at port 3000, as Dokku does. Without the value it is served at port 80 again.",
		Example: "dokku ports:set hello http:80:5000 http:8080:9000\ndokku ports:set --global expose-mapping dokku",
		Flags:   func(f *pflag.FlagSet) { f.Bool("global", false, "set how the default mapping is made, for all apps") },
		Run: func(c *cli.Call) error {
			if c.App == nil {
				return setExposeMapping(c)
			}
			return changePorts(c, "ports:set", func(_, given []app.PortMap) ([]app.PortMap, error) { return given, nil })
		},
	},
}

// setExposeMapping sets the only property of ports:set --global.
func setExposeMapping(c *cli.Call) error {
	value := ""
	if len(c.Args) > 1 {
		value = c.Args[1]
	}
	switch {
	case c.Args[0] != app.ExposeMapping:
		return cli.Refuse("Invalid property specified, valid properties include: %s", app.ExposeMapping)
	case len(c.Args) > 2:
		return c.UsageError("Unexpected argument %q", c.Args[2])
	case value != "" && value != app.ExposeAsDokku:
		return cli.Refuse("Invalid %s %q: the only value is %s; without a value it is unset", app.ExposeMapping, event.OneLine(value), app.ExposeAsDokku)
	case value == "":
		c.Events().Result("Unsetting %s", app.ExposeMapping)
	default:
		c.Events().Result("Setting %s to %s", app.ExposeMapping, value)
	}
	return c.Server.SetRoutes(c.Ctx, "ports:set", c.Events(), func(set *app.Settings) {
		ports := maps.Clone(set.Ports)
		cli.Put(&ports, app.ExposeMapping, value)
		set.Ports = ports
	})
}

// oldPortCommands are the names that portCommands had before Dokku 0.31.
var oldPortCommands = renamedPorts()

func renamedPorts() (list []cli.Spec) {
	for _, s := range portCommands {
		name, _, _ := strings.Cut(s.Use, " ")
		verb := strings.TrimPrefix(name, "ports:")
		old := "proxy:ports-" + verb
		switch verb {
		case "list":
			old = "proxy:ports"
		case "report":
			continue
		}
		list = append(list, renamed(s, old))
	}
	return list
}

// renamed returns a command under the name that it had in older versions of Dokku.
func renamed(s cli.Spec, old string) cli.Spec {
	name, words, _ := strings.Cut(s.Use, " ")
	run := s.Run
	s.Use, s.Short, s.Example = strings.TrimSpace(old+" "+words), "Deprecated: "+name, ""
	s.Run = func(c *cli.Call) error {
		c.Warn("Deprecated: %s is the old name of %s", old, name)
		return run(c)
	}
	return s
}

// oldNames are commands under their former names, which scripts and clients use.
func oldNames() (list []cli.Spec) {
	old := map[string]string{
		"http-auth:disable": "http-auth:off", "http-auth:enable": "http-auth:on",
		"maintenance:disable": "maintenance:off", "maintenance:enable": "maintenance:on",
		"nginx:show-config": "nginx:show-conf", "nginx:validate-config": "nginx:validate",
	}
	for _, s := range slices.Concat(httpAuthCommands, maintenanceCommands, nginxViews) {
		name, _, _ := strings.Cut(s.Use, " ")
		if old[name] != "" {
			list = append(list, renamed(s, old[name]))
		}
	}
	return list
}

const portsLong = "A mapping is http:HOST-PORT:CONTAINER-PORT, or https: for the names with a certificate (certs:add). For\n" +
	"the app's names, nginx listens on the host port and\n" +
	"sends requests to the container port of the web processes. The mapping with the lowest host port sets\n" +
	"the port of web's checks and its PORT variable; if that port changes, the app is restarted."

func portWords(c *cli.Call) []string {
	if c.App == nil {
		return nil
	}
	var words []string
	for _, m := range c.App.State.Ports {
		words = append(words, m.String())
	}
	return words
}

// parsePorts reads the mappings of a command line.
func parsePorts(words []string) ([]app.PortMap, error) {
	var list []app.PortMap
	for _, word := range words {
		m, err := parsePort(word)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list, nil
}

func parsePort(word string) (m app.PortMap, err error) {
	bad := func(format string, args ...any) error {
		return cli.Refuse("Invalid port map %s: %s", event.OneLine(word), fmt.Sprintf(format, args...))
	}
	parts := strings.Split(word, ":")
	if len(parts) != 3 {
		return m, bad("write SCHEME:HOST-PORT:CONTAINER-PORT, such as http:8080:5000")
	}
	m.Scheme = parts[0]
	if err := checkScheme(m.Scheme); err != "" {
		return m, bad("%s", err)
	}
	for i, to := range []*int{&m.Host, &m.Container} {
		if *to, err = parsePortNumber(parts[i+1]); err != nil {
			return m, bad("%s", err)
		}
	}
	return m, nil
}

// checkScheme returns the reason why a scheme is refused, or "".
func checkScheme(scheme string) string {
	switch scheme {
	case "http", "https":
		return ""
	case "grpc", "grpcs":
		return scheme + " is not supported yet, only http and https are"
	}
	return fmt.Sprintf("there is no scheme %q, only http and https are supported", event.OneLine(scheme))
}

func parsePortNumber(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 || s[0] == '+' {
		return 0, cli.Refuse("%q is not a port from 1 to 65535", event.OneLine(s))
	}
	return n, nil
}

// changePorts applies a change with the mappings of the command line.
func changePorts(c *cli.Call, op string, change func(have, given []app.PortMap) ([]app.PortMap, error)) error {
	given, err := parsePorts(c.Args)
	if err != nil {
		return err
	}
	apply := func(have []app.PortMap) ([]app.PortMap, error) { return change(have, given) }
	// Report errors before the command locks or writes anything.
	if err := c.Server.CheckPorts(c.Ctx, c.App, apply); err != nil {
		return err
	}
	before, err := c.View(c.App)
	if err != nil {
		return err
	}
	log := c.Events().WithApp(c.App.Name)
	if err := c.Server.SetPorts(c.Ctx, c.App.Name, op, log, apply); err != nil {
		return err
	}
	v, err := c.Server.View(c.App.Name)
	if err != nil {
		return err
	}
	log.Step("Set port mappings for %s: %s", v.Name, joined(v.Ports()))
	for _, m := range before.Ports() {
		if len(before.State.Ports) == 0 && !slices.ContainsFunc(v.Ports(), func(n app.PortMap) bool { return n.Host == m.Host }) {
			log.Warn("Port %d, the default, is no longer served; to keep it: dokku ports:add %s %s", m.Host, v.Name, m)
		}
	}
	warnTLS(log, v)
	return nil
}

// addPorts refuses a mapping that is there already, as Dokku does.
func addPorts(have, given []app.PortMap) ([]app.PortMap, error) {
	for _, m := range given {
		if slices.Contains(have, m) {
			return nil, cli.Refuse("%s is mapped already: dokku ports:set APP MAPPING... sets all mappings, those that are there too", m)
		}
	}
	return append(have, given...), nil
}

// removePorts removes mappings, each given in full, as http:8080 or as 8080.
func removePorts(c *cli.Call) error {
	for _, word := range c.Args {
		if err := checkRemoval(word); err != nil {
			return err
		}
	}
	v, err := c.View(c.App)
	if err != nil {
		return err
	}
	shown := "none but the default " + joined(v.Ports())
	if len(v.State.Ports) > 0 {
		shown = joined(v.Ports())
	}
	words := c.Args
	c.Args = nil
	return changePorts(c, "ports:remove", func(have, _ []app.PortMap) ([]app.PortMap, error) {
		for _, word := range words {
			n := slices.IndexFunc(have, func(m app.PortMap) bool {
				full := m
				if full.Container == 0 {
					full.Container = c.App.DetectedPort()
				}
				return slices.Contains([]string{full.String(), fmt.Sprintf("%s:%d", m.Scheme, m.Host), strconv.Itoa(m.Host)}, word)
			})
			if n < 0 {
				return nil, cli.Refuse("Port mapping %s does not belong to app %s, which has: %s", event.OneLine(word), c.App.Name, shown)
			}
			have = slices.Delete(have, n, n+1)
		}
		return have, nil
	})
}

func checkRemoval(word string) error {
	parts := strings.Split(word, ":")
	var err error
	switch len(parts) {
	case 1:
		_, err = parsePortNumber(parts[0])
	case 2:
		_, err = parsePortNumber(parts[1])
	default:
		_, err = parsePort(word)
		return err
	}
	if err != nil {
		return cli.Refuse("Invalid port map %s: %s", event.OneLine(word), err)
	}
	return nil
}

func joined(ports []app.PortMap) string {
	var list []string
	for _, m := range ports {
		list = append(list, m.String())
	}
	return strings.Join(list, " ")
}

// asJSON returns mappings as JSON.
func asJSON(ports []app.PortMap) string {
	data, _ := json.Marshal(ports) // of words and numbers alone
	return string(data)
}

func listPorts(c *cli.Call) error {
	format := c.Value("format")
	if err := cli.OneOf("format", format, "stdout", "json"); err != nil {
		return err
	}
	v, err := c.View(c.App)
	if err != nil {
		return err
	}
	ports := []app.PortMap{}
	if len(v.State.Ports) > 0 {
		ports = v.Ports()
	}
	if format == "json" {
		return c.PrintJSON(ports)
	}
	if len(ports) == 0 { // Dokku's text
		return cli.Refuse("No port mappings configured for app\nIts default is %s", joined(v.Ports()))
	}
	var rows [][]string
	if c.Headings() {
		c.Print("-----> Port mappings for %s\n", c.App.Name)
		rows = append(rows, []string{"-----> scheme", "host port", "container port"})
	}
	for _, m := range ports {
		rows = append(rows, []string{m.Scheme, strconv.Itoa(m.Host), strconv.Itoa(m.Container)})
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("    %s\n", line)
	}
	return nil
}

var portsReport = cli.Reporter{
	Noun: "ports",
	Own:  []string{app.ExposeMapping},
	Keys: []string{"ports-global-expose-mapping", "ports-map", "ports-map-detected", "ports-map-detected-json", "ports-map-json"},
	// Dokku 0.35 lacks them.
	Aside: []string{"ports-map-detected-json", "ports-map-json"},
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return map[string]string{"ports-global-expose-mapping": set.Ports[app.ExposeMapping]}, err
	},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		v, err := c.View(a)
		if err != nil {
			return nil, err
		}
		own := []app.PortMap{}
		if len(a.State.Ports) > 0 {
			own = v.Ports()
		}
		without := a.State.Clone()
		without.Ports = nil
		detected := v.With(without).Ports()
		return map[string]string{"ports-global-expose-mapping": v.Settings.Ports[app.ExposeMapping],
			"ports-map": joined(own), "ports-map-json": asJSON(own),
			"ports-map-detected": joined(detected), "ports-map-detected-json": asJSON(detected)}, nil
	},
}
