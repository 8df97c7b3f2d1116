package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/keys"
)

// A Role is what a key needs for a command. The zero value is no role: a command without
// one is a mistake, and only admins may run it. See the package comment for what each gives.
type Role int

// The roles, each of which may do what those before it may.
const (
	_        Role = iota
	Anybody       // every key; the command shows nothing of apps that the key may not use
	Deployer      // who deploys the app
	Values        // a deployer whose key may read values of the config
	Operator      // who runs the app
	Admin         // who is root in all but name
)

// roleNames are the names for messages and help.
var roleNames = map[Role]string{Deployer: "a deployer's key", Values: "a key with --config", Operator: "an operator's key", Admin: "an admin's key"}

// roleOf returns the role of a grant.
func roleOf(g keys.Grant) Role {
	switch {
	case g.Role == keys.Admin:
		return Admin
	case g.Role == keys.Operator:
		return Operator
	case g.Role == keys.Deployer && g.Config:
		return Values
	case g.Role == keys.Deployer:
		return Deployer
	}
	return 0
}

// wide are the flags by which a command is about more than one app.
var wide = []string{"global", "all", "all-apps"}

// Admin reports whether the person at the command line may do everything: on the host itself,
// or with an admin's key.
func (r *Runner) Admin() bool { return r.Env.User == "" || r.Env.Access != nil && r.Env.Access.Admin() }

// MayUse reports whether the person at the command line may use the app.
func (r *Runner) MayUse(app string) bool { return r.Admin() || r.access().Uses(app) }

// access returns what the key may do. A client without a known key may do nothing.
func (r *Runner) access() *keys.Access {
	if r.Env.Access == nil {
		r.Env.Access = &keys.Access{Key: r.Env.User}
	}
	return r.Env.Access
}

// NeedsAdmin returns an error unless the person at the command line may do everything. what
// is what needs an admin: "--global", "the option --device".
func (r *Runner) NeedsAdmin(what string) error {
	if r.Admin() {
		return nil
	}
	a := r.access()
	return a.Refuse("The key %s may not use %s: it needs an admin's key, and this is %s's", a.Key, what, article(a.Grant.Role))
}

// NeedsApp returns an error unless the person at the command line may use the app.
func (r *Runner) NeedsApp(app string) error {
	if r.Env.Access != nil {
		r.Env.Access.App = app
	}
	if r.MayUse(app) {
		return nil
	}
	return r.access().NoApp(event.OneLine(app))
}

// wholeServer is the error for a command that names no app.
func (r *Runner) wholeServer(name string) error {
	return r.access().Refuse("The key %s may not run %s for the whole server: name one of its apps", r.access().Key, name)
}

func article(role keys.Role) string {
	switch role {
	case keys.Deployer:
		return "a deployer"
	case keys.Operator:
		return "an operator"
	}
	return "nobody"
}

// allows reports whether the key's role suffices for a command.
func (r *Runner) allows(s Spec) bool {
	return r.Admin() || s.Role != 0 && s.Role <= roleOf(r.access().Grant)
}

// authorize refuses a command that the key may not run, before anything is read. Whose app it
// is about is asked once the words are known (within).
func (c *Call) authorize(s Spec) error {
	if c.Admin() {
		return nil
	}
	a := c.access()
	if !c.allows(s) {
		needs := s.Role
		if needs == 0 {
			needs = Admin
		}
		return a.Refuse("The key %s may not run %s: it needs %s, and this is %s's (dokku help shows what it may run)", a.Key, s.name(), roleNames[needs], article(a.Grant.Role))
	}
	for _, name := range slices.Concat(wide, s.AdminFlags) {
		if f := c.cmd.Flags().Lookup(name); f != nil && f.Changed {
			return c.NeedsAdmin("--" + name)
		}
	}
	return nil
}

// within refuses a command line about something that the key may not use. It says the same
// about an app that does not exist.
func (c *Call) within(s Spec, sh shape) error {
	if c.Admin() {
		return nil
	}
	a := c.access()
	var apps []string
	switch {
	case s.Service:
		if len(c.Args) > 0 && !a.Grant.Serves(s.Noun(), c.Args[0]) {
			return a.Refuse("The key %s may not use the service %s (an admin can allow it with acl:add-service %s %[2]s %[1]s)", a.Key, event.OneLine(c.Args[0]), s.Noun())
		}
		if s.AppLast && len(c.Args) > 1 {
			apps = c.Args[1:2]
		}
	case sh.app && len(c.Args) > 0:
		apps = c.Args[:1]
		if s.Others != nil {
			apps = append(slices.Clone(apps), s.Others(c.Args[1:])...)
		}
	case s.Scoped, s.Role == Anybody, sh.app && len(sh.required) > 0:
		// The command asks itself, or the missing word is an error of its own.
	default:
		return c.wholeServer(s.name())
	}
	for _, app := range apps {
		if app == "" {
			continue
		}
		if a.App = app; !a.Uses(app) {
			return a.NoApp(event.OneLine(app))
		}
	}
	if s.NewApp {
		return c.newName(apps)
	}
	return c.newName(apps[min(1, len(apps)):])
}

// newName refuses names of new apps that are domains of others: an app with a dot in its name
// answers to it.
func (c *Call) newName(apps []string) error {
	for _, name := range apps {
		if !strings.Contains(name, ".") || c.Server == nil {
			continue
		}
		if r, err := c.Server.Reserved(name, name); err != nil || r.Exists() {
			return cmp.Or(err, c.access().Refuse("The key %s may not make the app %s: %s (an admin may)", c.access().Key, event.OneLine(name), r.Why(c.MayUse)))
		}
	}
	return nil
}

// discreet returns a command's error without the name of an app that the key may not use. That somebody has a domain is
// said in the words for one that an app to come would get.
func (c *Call) discreet(err error) error {
	var owned *app.OwnedError
	if !errors.As(err, &owned) || c.MayUse(owned.App) {
		return err
	}
	if owned.Domain == "" {
		return c.access().Refuse("The key %s may not have this port of the host: it belongs to another app; choose another one", c.access().Key)
	}
	return c.NotGiven(owned.For, agent.OfAnother(owned.Domain))
}

// NotGiven is the error for a name that only an admin gives to an app.
func (c *Call) NotGiven(app, why string) error {
	return c.access().Refuse("The key %s may not give this name to %s: %s (an admin may)", c.access().Key, app, why)
}

// ours returns the apps that the person at the command line may use.
func (r *Runner) ours(apps []string) []string {
	return slices.DeleteFunc(apps, func(app string) bool { return !r.MayUse(app) })
}

// mayComplete refuses completions to keys that may not see everything: they show apps, keys
// of the config and services.
func (r *Runner) mayComplete() error {
	if r.Admin() {
		return nil
	}
	a := r.access()
	return a.Refuse("The key %s may not complete words: it needs an admin's key, and this is %s's", a.Key, article(a.Grant.Role))
}

// aboutKey is the end of help for a key that may not do everything.
func (r *Runner) aboutKey() string {
	if r.Admin() {
		return ""
	}
	g := r.access().Grant
	apps := "no app"
	switch {
	case slices.Contains(g.Apps, keys.AllApps):
		apps = "every app"
	case len(g.Apps) > 0:
		apps = strings.Join(g.Apps, ", ")
	}
	text := fmt.Sprintf("\nThe key %s is %s's, for %s", r.access().Key, article(g.Role), apps)
	if len(g.Services) > 0 {
		text += ", with " + strings.Join(g.Services, ", ")
	}
	return text + ". It may run these commands on them.\n"
}
