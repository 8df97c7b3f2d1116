package agenttest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A Command is a client's command. Fields that its verb does not need are empty.
type Command struct {
	Verb string // "apps:create", "push", or Read
	App  string
	To   string // the new name
	// Pairs are the values to set, "A=1".
	Pairs []string
	// Keys are the values to unset.
	Keys []string
	// Old and New are the revisions of a push; "" where the ref does not exist.
	Old, New string
	Domain   string
	// Stays: --no-restart, or --skip-deploy.
	Stays bool
}

// Read is the verb of a look at an app.
const Read = "read"

// Finish is the verb of a rename's last part: the restart.
const Finish = "finish rename"

// Lost is the verb of a push that was prepared but whose git ended without moving the
// ref.
const Lost = "lost push"

func (c Command) String() string {
	words := []string{c.Verb, c.App}
	for _, w := range append(append([]string{c.To, c.Domain}, c.Pairs...), c.Keys...) {
		if w != "" {
			words = append(words, w)
		}
	}
	if c.New != "" {
		words = append(words, fmt.Sprintf("%.7s->%.7s", c.Old, c.New))
	}
	if c.Stays {
		words = append(words, "--stays")
	}
	return strings.Join(words, " ")
}

// An Outcome is the result that a client sees.
type Outcome struct {
	// Refused is the error's text; "": the command is done.
	Refused string
	// Seen has fields of the app by name (see Fields), if the verb is Read.
	Seen map[string]string
	// open: the outcome is not known yet.
	open bool
}

// An App is the model's state of one app. Values are texts, so that states can be
// compared: pairs are "A=1 B=2", ordered by key.
type App struct {
	config, scale, next string
	running             string // the config of the current release
	domains             string
	revision            string // current; "": never deployed
	stopped, locked     bool
	// former is the app's former name. The model does not know whether any resource
	// still carries it.
	former string
	// renaming: the rename has yet to restart the app, and holds its lock.
	renaming bool
}

// Apps maps names to apps.
type Apps map[string]App

// Fields are the names of the fields that Read can see.
var Fields = []string{"exists", "config", "scale", "next", "running", "domains", "revision", "stopped", "locked"}

// field returns the visible value of an app's field.
func (s Apps) field(app, name string) string {
	a, ok := s[app]
	switch name {
	case "exists":
		return fmt.Sprint(ok)
	case "config":
		return a.config
	case "scale":
		return a.scale
	case "next":
		return a.next
	case "running":
		return a.running
	case "domains":
		return a.domains
	case "revision":
		return a.revision
	case "stopped":
		return fmt.Sprint(a.stopped)
	case "locked":
		return fmt.Sprint(a.locked)
	}
	panic("there is no field " + name)
}

// with returns a copy of s with one app changed.
func (s Apps) with(name string, a App) Apps {
	n := maps.Clone(s)
	n[name] = a
	return n
}

// step runs a command, and reports whether its outcome is the model's.
func (s Apps) step(c Command, o Outcome) (bool, Apps) {
	if c.Verb == Read {
		for name, value := range o.Seen {
			if s.field(c.App, name) != value {
				return false, s
			}
		}
		return true, s
	}
	next, why := s.do(c)
	if o.open {
		if why != nil {
			next = s
		}
		return true, next
	}
	if o.Refused != "" {
		return s.maybe(c, o.Refused) || why != nil && why(o.Refused), s
	}
	return why == nil, next
}

// A refusal matches the message of a refused command.
type refusal func(message string) bool

// maybe reports whether a command may be refused although the model would run it. While
// resources carry an app's former name, no other app can take that name, and the app cannot
// be renamed again. The model does not know how long that takes.
func (s Apps) maybe(c Command, message string) bool {
	a, exists := s[c.App]
	wants := c.App
	switch {
	case c.Verb == "apps:rename" && exists:
		if a.former != "" && is("busy", c.App, a.former)(message) {
			return true
		}
		wants = c.To
	case c.Verb != "apps:create":
		return false
	}
	if _, taken := s[wants]; taken {
		return false
	}
	for name, a := range s {
		if a.former == wants && is("former", wants, name)(message) {
			return true
		}
	}
	return false
}

// do runs a command, or returns its refusal.
func (s Apps) do(c Command) (Apps, refusal) {
	a, exists := s[c.App]
	switch {
	case c.Verb == Finish:
		if !exists || !a.renaming {
			return s, nil // nothing to restart
		}
		a.renaming = false
		return s.with(c.App, a.deployed()), nil
	case a.renaming || s[c.To].renaming:
		return s, never // it has to wait
	case c.Verb == "apps:create" && exists:
		return s, is("taken", c.App)
	case c.Verb == "apps:create":
		return s.free(c.App).with(c.App, App{}), nil
	case !exists:
		return s, is("gone", c.App)
	}
	switch c.Verb {
	case "apps:destroy":
		n := maps.Clone(s)
		delete(n, c.App)
		return n, nil
	case "apps:rename":
		return s.rename(c)
	case "domains:add":
		return s.addDomain(c)
	}
	a, why := a.do(c)
	return s.with(c.App, a), why
}

func (s Apps) rename(c Command) (Apps, refusal) {
	if _, taken := s[c.To]; taken {
		return s, is("taken", c.To)
	}
	a := s[c.App]
	a.former, a.renaming = c.App, a.revision != "" && !a.stopped && !c.Stays
	n := s.free(c.To).with(c.To, a)
	delete(n, c.App)
	return n, nil
}

// free returns s after an app took a name: no other app has it as its former name.
func (s Apps) free(name string) Apps {
	n := maps.Clone(s)
	for other, a := range n {
		if a.former == name {
			a.former = ""
			n[other] = a
		}
	}
	return n
}

func (s Apps) addDomain(c Command) (Apps, refusal) {
	a := s[c.App]
	own := strings.Fields(a.domains)
	if slices.Contains(own, c.Domain) {
		return s, nil
	}
	for name, other := range s {
		if slices.Contains(strings.Fields(other.domains), c.Domain) {
			return s, is("domain", c.Domain, name)
		}
	}
	a.domains = strings.Join(append(own, c.Domain), " ")
	return s.with(c.App, a), nil
}

// do runs a command that concerns one app.
func (a App) do(c Command) (App, refusal) {
	runs := a.revision != "" && !a.stopped
	switch c.Verb {
	case "config:set", "config:unset":
		a.config = set(a.config, c.Pairs, c.Keys)
		if runs && !c.Stays {
			return a.deployed(), nil
		}
		return a, nil
	case "ps:scale":
		if runs && c.Stays {
			a.next = set(a.next, c.Pairs, nil)
			return a, nil
		}
		a.scale = set(a.scale, c.Pairs, nil)
		a.next = set(a.next, nil, keys(c.Pairs))
		return a, nil
	case "apps:lock":
		a.locked = true
		return a, nil
	case "apps:unlock":
		if !a.locked {
			return a, is("unlocked")
		}
		a.locked = false
		return a, nil
	case "domains:reset":
		a.domains = ""
		return a, nil
	case "push", Lost:
		return a.push(c)
	}
	if a.revision == "" {
		return a, is("undeployed", c.App)
	}
	return a.process(c)
}

func (a App) push(c Command) (App, refusal) {
	switch {
	case a.locked:
		return a, is("locked", c.App)
	case a.revision != c.Old:
		return a, is("moved")
	case c.Verb == Lost:
		return a, nil
	}
	a.revision = c.New
	return a.deployed(), nil
}

// process runs a command that needs a deployed app.
func (a App) process(c Command) (App, refusal) {
	switch c.Verb {
	case "ps:rebuild":
		if a.locked {
			return a, is("locked", c.App)
		}
		return a.deployed(), nil
	case "ps:restart":
		return a.deployed(), nil
	case "ps:start":
		if a.stopped {
			return a.deployed(), nil
		}
		return a, nil
	case "ps:stop":
		a.stopped = true
		return a, nil
	}
	panic("there is no command " + c.Verb)
}

// deployed returns the app with a new release.
func (a App) deployed() App {
	a.running, a.stopped = a.config, false
	a.scale, a.next = set(a.scale, strings.Fields(a.next), nil), ""
	return a
}

// set returns pairs with others set and keys unset.
func set(pairs string, others, unset []string) string {
	m := map[string]string{}
	for _, p := range append(strings.Fields(pairs), others...) {
		k, v, _ := strings.Cut(p, "=")
		m[k] = v
	}
	for _, k := range unset {
		delete(m, k)
	}
	return Pairs(m)
}

// Pairs formats values as App stores them.
func Pairs[V any](m map[string]V) string {
	var list []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		list = append(list, fmt.Sprintf("%s=%v", k, m[k]))
	}
	return strings.Join(list, " ")
}

func keys(pairs []string) (list []string) {
	for _, p := range pairs {
		k, _, _ := strings.Cut(p, "=")
		list = append(list, k)
	}
	return list
}
