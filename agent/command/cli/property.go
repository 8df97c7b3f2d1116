package cli

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/deploy"
)

// Property is a value that NOUN:set sets, for an app or for the server. The app's value
// wins, then the server's, then the default.
type Property struct {
	Name    string
	Default string
	OnlyApp bool // cannot be set for the server
	// OnlyServer: cannot be set for an app.
	OnlyServer bool
	// Prefix: any name that begins with Name and goes on as a variable's is a property.
	Prefix bool
	named  bool // by present: a name that Prefix stands for
	// OnHost reports whether only somebody on the server itself may set this; nil: never.
	OnHost func(name, value string) bool
	// GlobalOnHost is what the server's value decides, if only somebody on the server itself may
	// set or unset it; "": others may.
	GlobalOnHost string
	// Within checks a value, of an app or of the server, against settings of this server; nil:
	// none bounds it.
	Within func(set app.Settings, value string) error
	// Admin: only an admin may set this for an app: it reaches beyond the app.
	Admin bool
	// Bounded checks a value, "" to unset it, that somebody sets for an app who is no admin: one that
	// reaches beyond the app is an error. nil: whatever Check accepts is within it.
	Bounded func(c *Call, name, value string) error
	// Secret: the value is not shown.
	Secret bool
	// Masked: text does not show the value; JSON does, as Dokku's.
	Masked bool
	Check  func(value string) error
	// Reads is a further check, which looks at files of this server; nil: none does.
	Reads func(value string) error
	// Fits checks a value against the app that it is for; nil: any value fits.
	Fits func(c *Call, value string) error
	// Note is said when a value is set; "": nothing is.
	Note string
	// Inert: a value is stored and has no effect, for this reason. Setting it warns.
	Inert string
	// Instead makes it a property of Dokku's that is missing here, and says what one does
	// instead. It can be unset, and is in no list and no report.
	Instead string
}

func (q Property) shown(value string) string {
	if q.Secret && value != "" {
		return app.Hidden
	}
	return value
}

// mask stands for a Masked value in text, as in Dokku.
const mask = "*******"

// variable is the form of the end of a Prefix property's name.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// is reports whether a name is that of the property.
func (q Property) is(name string) bool {
	rest, ok := strings.CutPrefix(name, q.Name)
	return ok && (rest == "" && !q.Prefix || q.Prefix && variable.MatchString(rest))
}

// Properties are the properties of a noun, and where they are stored.
type Properties struct {
	Noun string
	List []Property
	// Role is what a key needs to set one for an app: Operator, or Admin.
	Role Role
	// Changes is the effect of a changed value of an app.
	Changes deploy.Changes
	// Get and Put read and write a value of the app; "" is unset.
	Get func(st *app.State, name string) string
	Put func(st *app.State, name, value string)
	// App returns the map of the app's values. Only Prefix properties of apps need it.
	App func(*app.State) *map[string]string
	// Server returns the map of the server's values. There, names begin with Stored.
	Server func(*app.Settings) *map[string]string
	Stored string
	// Store stores a change of the server's values; nil: it is only written.
	Store func(c *Call, change func(*app.Settings)) error
}

// Spec returns the command NOUN:set.
func (p Properties) Spec(short string) Spec {
	return Spec{
		Use: p.Noun + ":set APP KEY [VALUE]", Short: short, Role: p.Role,
		Long: "Properties: " + p.Names() + ".\nWithout a value, the property is unset. --global sets the default of all apps:\n" +
			"  dokku " + p.Noun + ":set --global KEY [VALUE]",
		Missing: "No property specified", Hyphens: true,
		Flags: func(f *pflag.FlagSet) { f.Bool("global", false, "set the default of all apps") },
		Words: func(c *Call) []string {
			if len(c.Args) > 0 {
				return nil
			}
			return strings.Split(p.Names(), ", ")
		},
		Run: p.set, properties: &p,
	}
}

// Names lists the properties for a message: "a, b, c".
func (p Properties) Names() string {
	var names []string
	for _, q := range p.List {
		if q.Instead != "" {
			continue
		}
		if q.Prefix {
			q.Name += "*"
		}
		names = append(names, q.Name)
	}
	return strings.Join(names, ", ")
}

func (p Properties) set(c *Call) error {
	name, value := c.Args[0], strings.Join(c.Args[1:], " ")
	if name == "" {
		return Refuse("No property specified")
	}
	var q *Property
	for i := range p.List {
		if p.List[i].is(name) {
			q = &p.List[i]
		}
	}
	if q == nil {
		return Refuse("Invalid property specified, valid properties include: %s", p.Names())
	}
	if q.OnlyApp && c.App == nil {
		return Refuse("Property cannot be specified globally")
	}
	if q.OnlyServer && c.App != nil {
		return Refuse("Property can only be specified globally: dokku %s:set --global %s", p.Noun, name)
	}
	if err := p.Allowed(c, name); err != nil {
		return err
	}
	if c.App == nil && c.Env.User != "" && q.GlobalOnHost != "" {
		return Refuse("%s:set --global decides %s: set it there, not over ssh", p.Noun, q.GlobalOnHost)
	}
	if c.Env.User != "" && value != "" && q.OnHost != nil && q.OnHost(name, value) {
		return Refuse("%s decides what the server runs, reads or sends secrets to: set it there, not over ssh", name)
	}
	if q.Instead != "" && value != "" {
		return Refuse("The property %s is not here, Dokku has it; here: %s", name, q.Instead)
	}
	if value != "" {
		if err := q.Check(value); err != nil {
			return err
		}
		if q.Within != nil {
			set, err := c.Settings()
			if err == nil {
				err = q.Within(set, value)
			}
			if err != nil {
				return err
			}
		}
		if q.Reads != nil {
			if err := q.Reads(value); err != nil {
				return err
			}
		}
		if q.Fits != nil && c.App != nil {
			if err := q.Fits(c, value); err != nil {
				return err
			}
		}
	}
	if q.Bounded != nil && c.App != nil && !c.Admin() {
		if err := q.Bounded(c, name, value); err != nil {
			return err
		}
	}
	shown := q.shown(value)
	if q.Masked && value != "" {
		shown = mask
	}
	if err := p.store(c, name, value, shown); err != nil || value == "" {
		return err
	}
	if q.Inert != "" {
		c.Warn("%s is stored, as Dokku stores it, and has no effect here: %s", name, q.Inert)
	}
	if q.Note != "" {
		c.Events().Detail("%s", q.Note)
	}
	return nil
}

// Allowed returns an error for a property that the key may not set.
func (p Properties) Allowed(c *Call, name string) error {
	if slices.ContainsFunc(p.List, func(q Property) bool { return q.Admin && q.is(name) }) {
		return c.NeedsAdmin("the property " + name)
	}
	return nil
}

func (p Properties) store(c *Call, name, value, shown string) error {
	log := c.Events()
	said := fmt.Sprintf("Setting %s to %s", name, shown)
	if value == "" {
		said = "Unsetting " + name
	}
	if c.App == nil {
		log.Result("%s", said)
		change := func(set *app.Settings) { Put(p.Server(set), p.Stored+name, value) }
		if p.Store != nil {
			return p.Store(c, change)
		}
		return c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error {
			change(set)
			return nil
		})
	}
	log = log.WithApp(c.App.Name)
	log.Result("%s", said)
	return c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: p.Noun + ":set", Changes: p.Changes}, log, func(st *app.State) error {
		p.Put(st, name, value)
		return nil
	})
}

// Report adds four values of each property to a report: the app's, the server's,
// the effective one, and its origin.
func (p Properties) Report(values map[string]string, st *app.State, set app.Settings) {
	for _, q := range p.present(st, set) {
		own, server := q.shown(p.Get(st, q.Name)), q.shown((*p.Server(&set))[p.Stored+q.Name])
		if !q.OnlyServer {
			values[p.Noun+"-"+q.Name] = own
		}
		if !q.OnlyApp {
			values[p.Noun+"-global-"+q.Name] = server
		}
		values[p.Noun+"-computed-"+q.Name] = cmp.Or(own, server, q.Default)
		values[p.Noun+"-origin-"+q.Name] = origin(own, server, q.Default)
	}
}

// present returns the properties, with those that Prefix stands for and that have a value
// of the app, which may be nil, or of the server.
func (p Properties) present(st *app.State, set app.Settings) []Property {
	var list []Property
	for _, q := range p.List {
		if q.Instead != "" {
			continue
		}
		if !q.Prefix {
			list = append(list, q)
			continue
		}
		var names []string
		for key := range *p.Server(&set) {
			if name, ok := strings.CutPrefix(key, p.Stored); ok {
				names = append(names, name)
			}
		}
		if st != nil && p.App != nil {
			names = append(names, slices.Collect(maps.Keys(*p.App(st)))...)
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if q.is(name) {
				one := q
				one.Name, one.Prefix, one.named = name, false, true
				list = append(list, one)
			}
		}
	}
	return list
}

// Global returns the values for the report of the server: what is set, and what counts for
// an app without a value of its own.
func (p Properties) Global(set app.Settings) map[string]string {
	values := map[string]string{}
	for _, q := range p.present(nil, set) {
		if !q.OnlyApp {
			server := q.shown((*p.Server(&set))[p.Stored+q.Name])
			values[p.Noun+"-global-"+q.Name] = server
			if q.Inert == "" || !q.named { // Dokku has no such row
				values[p.Noun+"-computed-"+q.Name] = cmp.Or(server, q.Default)
			}
		}
	}
	return values
}

// origin names the source of the effective value; "" if there is no value.
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

// Keys returns the names of the values that Report adds.
func (p Properties) Keys() []string {
	var keys []string
	for _, q := range p.List {
		if q.Instead != "" {
			continue
		}
		keys = append(keys, p.Noun+"-computed-"+q.Name, p.Noun+"-origin-"+q.Name)
		if !q.OnlyServer {
			keys = append(keys, p.Noun+"-"+q.Name)
		}
		if !q.OnlyApp {
			keys = append(keys, p.Noun+"-global-"+q.Name)
		}
	}
	return keys
}

// Reporter is the report of a noun that has nothing but its properties.
func (p Properties) Reporter() Reporter {
	var masked []string
	for _, q := range p.List {
		if q.Masked {
			masked = append(masked, p.Noun+"-"+q.Name, p.Noun+"-global-"+q.Name, p.Noun+"-computed-"+q.Name)
		}
	}
	return Reporter{
		Noun: p.Noun, Keys: Sorted(p.Keys()), Masked: masked,
		Global: func(c *Call) (map[string]string, error) {
			set, err := c.Settings()
			return p.Global(set), err
		},
		Collect: func(c *Call, a *app.App, _ string) (map[string]string, error) {
			set, err := c.Settings()
			if err != nil {
				return nil, err
			}
			values := map[string]string{}
			p.Report(values, &a.State, set)
			return values, nil
		},
	}
}

// Put stores a value in a map, which it creates if it is nil. An empty value removes the
// name.
func Put(m *map[string]string, name, value string) {
	if value == "" {
		delete(*m, name)
		return
	}
	if *m == nil {
		*m = map[string]string{}
	}
	(*m)[name] = value
}
