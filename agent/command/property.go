package command

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent"
)

// A property is a value that NOUN:set sets, for an app or for the server. The
// app's wins, then the server's, then the default.
type property struct {
	name    string
	fixed   string // default
	onlyApp bool   // cannot be set for the server
	check   func(value string) error
}

// properties are those of a noun, and where they are kept.
type properties struct {
	noun string
	list []property
	// get and put reach a value of the app; "" is unset.
	get func(st *agent.State, name string) string
	put func(st *agent.State, name, value string)
	// server is where the server's values are kept.
	server func(*agent.Settings) *map[string]string
}

func (p properties) spec(short string) spec {
	return spec{
		use: p.noun + ":set APP KEY [VALUE]", short: short,
		long: "Properties: " + p.names() + ".\nWithout a value the property is unset. --global sets the default of all apps:\n" +
			"  dokku " + p.noun + ":set --global KEY [VALUE]",
		missing: "No property specified",
		flags:   func(f *pflag.FlagSet) { f.Bool("global", false, "set the default of all apps") },
		words: func(c *call) []string {
			if len(c.args) > 0 {
				return nil
			}
			return strings.Split(p.names(), ", ")
		},
		run: p.set,
	}
}

func (p properties) names() string {
	var names []string
	for _, q := range p.list {
		names = append(names, q.name)
	}
	return strings.Join(names, ", ")
}

func (p properties) set(c *call) error {
	name, value := c.args[0], ""
	if len(c.args) > 1 {
		value = c.args[1]
	}
	if name == "" {
		return refuse("No property specified")
	}
	var q *property
	for i := range p.list {
		if p.list[i].name == name {
			q = &p.list[i]
		}
	}
	if q == nil {
		return refuse("Invalid property specified, valid properties include: %s", p.names())
	}
	if q.onlyApp && c.app == nil {
		return refuse("Property cannot be specified globally")
	}
	if value != "" {
		if err := q.check(value); err != nil {
			return err
		}
	}
	return p.store(c, name, value)
}

func (p properties) store(c *call, name, value string) error {
	log := c.events()
	said := fmt.Sprintf("Setting %s to %s", name, value)
	if value == "" {
		said = "Unsetting " + name
	}
	if c.app == nil {
		log.Result("%s", said)
		return c.server.UpdateSettings(c.ctx, func(set *agent.Settings) error {
			put(p.server(set), name, value)
			return nil
		})
	}
	log = log.WithApp(c.app.Name)
	log.Result("%s", said)
	return c.server.Update(c.ctx, c.app.Name, p.noun+":set", log, func(st *agent.State) error {
		p.put(st, name, value)
		return nil
	})
}

// report adds the raw, the server's and the effective value of each property
// to a report's values, and where the effective one is from.
func (p properties) report(values map[string]string, st *agent.State, set agent.Settings) {
	for _, q := range p.list {
		own, server := p.get(st, q.name), (*p.server(&set))[q.name]
		values[p.noun+"-"+q.name] = own
		if !q.onlyApp {
			values[p.noun+"-global-"+q.name] = server
		}
		values[p.noun+"-computed-"+q.name] = cmp.Or(own, server, q.fixed)
		values[p.noun+"-origin-"+q.name] = origin(own, server, q.fixed)
	}
}

// origin says whose value holds; "" where there is none.
func origin(own, server, fixed string) string {
	switch {
	case own != "":
		return "app"
	case server != "":
		return "server"
	case fixed != "":
		return "default"
	}
	return ""
}

// keys are the names under which report adds values.
func (p properties) keys() []string {
	var keys []string
	for _, q := range p.list {
		keys = append(keys, p.noun+"-"+q.name, p.noun+"-computed-"+q.name, p.noun+"-origin-"+q.name)
		if !q.onlyApp {
			keys = append(keys, p.noun+"-global-"+q.name)
		}
	}
	return keys
}

// put stores a value in a map, which is made when it is missing; an empty value
// removes it.
func put(m *map[string]string, name, value string) {
	if value == "" {
		delete(*m, name)
		return
	}
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[name] = value
}
