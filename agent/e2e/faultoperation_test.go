package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
)

// An operation of the matrix: what somebody does with an app.
type operation struct {
	name string
	// own: it needs an app of its own, since that is made, renamed or destroyed.
	own bool
	// quiet: the app is not answered all the time, whatever goes wrong.
	quiet bool
	push  bool
	// prepare makes the app ready for it, before anything goes wrong.
	prepare func(a *app)
	// start starts it on an app that is at rest, and returns what it is to come to.
	start func(a *app) *attempt
}

// An attempt is an operation that was started.
type attempt struct {
	*process
	rev string // what a push pushes
	// done reports whether the app is what was asked for.
	done func() bool
	// rejects: it has to fail.
	rejects bool
	// other has the name that the app may have afterwards.
	other *app
}

var matrixOperations = []operation{
	{name: "push", push: true, start: func(a *app) *attempt {
		return a.pushes(files{"version": a.t.Name()})
	}},
	{name: "rejected push", push: true, start: func(a *app) *attempt {
		p := a.pushes(files{"Procfile": "web: /server -exit=1\nworker: /server -port=\n", "version": a.t.Name()})
		p.rejects = true
		return p
	}},
	{name: "first push", push: true, own: true, quiet: true, start: func(a *app) *attempt {
		return a.pushes(files{"version": a.t.Name()})
	}},
	{name: "ps:scale up", prepare: func(a *app) { a.has("web=1") }, start: func(a *app) *attempt { return a.scales("web=2") }},
	{name: "ps:scale down", prepare: func(a *app) { a.has("web=2") }, start: func(a *app) *attempt { return a.scales("web=1") }},
	{name: "config:set", start: func(a *app) *attempt {
		value := fmt.Sprint(a.state().Current)
		return &attempt{process: a.start(a.command("config:set", a.name, "NUMBER="+value)),
			done: func() bool { return a.config()["NUMBER"] == value }}
	}},
	{name: "apps:rename", own: true, quiet: true, start: func(a *app) *attempt {
		now := a.renamed()
		return &attempt{process: a.start(a.command("apps:rename", a.name, now.name)), other: now,
			done: func() bool { return exists(now.dir()) }}
	}},
	{name: "apps:destroy", own: true, quiet: true, start: func(a *app) *attempt {
		return &attempt{process: a.start(a.command("apps:destroy", a.name, "--force")), done: func() bool { return !exists(a.dir()) }}
	}},
}

// pushes starts a push of a commit on top of what the server has.
func (a *app) pushes(f files) *attempt {
	a.t.Helper()
	if tip := a.tip("main"); tip != "" {
		a.git("reset", "-q", "--hard", tip)
	}
	rev := a.commit(f)
	return &attempt{process: a.pushing(rev + ":refs/heads/main"), rev: rev, done: func() bool { return a.tip("main") == rev }}
}

// has sees to it that so many processes of a type run, "web=1".
func (a *app) has(count string) {
	a.t.Helper()
	typ, n, _ := strings.Cut(count, "=")
	if fmt.Sprint(a.state().Scale[typ]) != n {
		a.dokku("ps:scale", a.name, count)
		a.restsNow()
	}
}

func (a *app) scales(to string) *attempt {
	a.t.Helper()
	typ, n, _ := strings.Cut(to, "=")
	return &attempt{process: a.start(a.command("ps:scale", a.name, to)),
		done: func() bool { return fmt.Sprint(a.state().Scale[typ]) == n }}
}

// config is the app's own.
func (a *app) config() map[string]string {
	a.t.Helper()
	var st struct{ Config map[string]string }
	must(a.t, json.Unmarshal(a.read("dokku", "state.json"), &st))
	return st.Config
}

// asked is what a push must leave as it is that is not accepted (I8), as text.
func (a *app) asked() string {
	a.t.Helper()
	if !exists(a.dir()) {
		return ""
	}
	var st map[string]any
	must(a.t, json.Unmarshal(a.read("dokku", "state.json"), &st))
	maps.DeleteFunc(st, func(k string, _ any) bool { return k == "staged" || k == "retiring" || k == "version" })
	data, err := json.Marshal(st)
	must(a.t, err)
	return string(data)
}
