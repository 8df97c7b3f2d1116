package fault

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	"dokku/agent/e2e/lab"
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
	prepare func(a *lab.App)
	// start starts it on an app that is at rest, and returns what it is to come to.
	start func(a *lab.App) *attempt
}

// An attempt is an operation that was started.
type attempt struct {
	*lab.Process
	rev string // what a push pushes
	// done reports whether the app is what was asked for.
	done func() bool
	// rejects: it has to fail.
	rejects bool
	// other has the name that the app may have afterwards.
	other *lab.App
}

var operations = []operation{
	{name: "push", push: true, start: func(a *lab.App) *attempt {
		return pushes(a, lab.Files{"version": a.T.Name()})
	}},
	{name: "rejected push", push: true, start: func(a *lab.App) *attempt {
		p := pushes(a, lab.Files{"Procfile": "web: /server -exit=1\nworker: /server -port=\n", "version": a.T.Name()})
		p.rejects = true
		return p
	}},
	{name: "first push", push: true, own: true, quiet: true, start: func(a *lab.App) *attempt {
		return pushes(a, lab.Files{"version": a.T.Name()})
	}},
	{name: "ps:scale up", prepare: func(a *lab.App) { has(a, "web=1") }, start: func(a *lab.App) *attempt { return scales(a, "web=2") }},
	{name: "ps:scale down", prepare: func(a *lab.App) { has(a, "web=2") }, start: func(a *lab.App) *attempt { return scales(a, "web=1") }},
	{name: "config:set", start: func(a *lab.App) *attempt {
		value := fmt.Sprint(a.State().Current)
		return &attempt{Process: a.Start(a.Command("config:set", a.Name, "NUMBER="+value)),
			done: func() bool { return config(a)["NUMBER"] == value }}
	}},
	{name: "apps:rename", own: true, quiet: true, start: func(a *lab.App) *attempt {
		now := a.Renamed()
		return &attempt{Process: a.Start(a.Command("apps:rename", a.Name, now.Name)), other: now,
			done: func() bool { return lab.Exists(now.Dir()) }}
	}},
	{name: "apps:destroy", own: true, quiet: true, start: func(a *lab.App) *attempt {
		return &attempt{Process: a.Start(a.Command("apps:destroy", a.Name, "--force")), done: func() bool { return !lab.Exists(a.Dir()) }}
	}},
}

// pushes starts a push of a commit on top of what the server has.
func pushes(a *lab.App, f lab.Files) *attempt {
	a.T.Helper()
	if tip := a.Tip("main"); tip != "" {
		a.Git("reset", "-q", "--hard", tip)
	}
	rev := a.Commit(f)
	return &attempt{Process: a.Pushing(rev + ":refs/heads/main"), rev: rev, done: func() bool { return a.Tip("main") == rev }}
}

// has sees to it that so many processes of a type run, "web=1".
func has(a *lab.App, count string) {
	a.T.Helper()
	typ, n, _ := strings.Cut(count, "=")
	if fmt.Sprint(a.State().Scale[typ]) != n {
		a.Dokku("ps:scale", a.Name, count)
		restsNow(a)
	}
}

func scales(a *lab.App, to string) *attempt {
	a.T.Helper()
	typ, n, _ := strings.Cut(to, "=")
	return &attempt{Process: a.Start(a.Command("ps:scale", a.Name, to)),
		done: func() bool { return fmt.Sprint(a.State().Scale[typ]) == n }}
}

// config is the app's own.
func config(a *lab.App) map[string]string {
	a.T.Helper()
	var st struct{ Config map[string]string }
	lab.Must(a.T, json.Unmarshal(a.Read("dokku", "state.json"), &st))
	return st.Config
}

// asked is what a push must leave as it is that is not accepted (I8), as text.
func asked(a *lab.App) string {
	a.T.Helper()
	if !lab.Exists(a.Dir()) {
		return ""
	}
	var st map[string]any
	lab.Must(a.T, json.Unmarshal(a.Read("dokku", "state.json"), &st))
	maps.DeleteFunc(st, func(k string, _ any) bool { return k == "staged" || k == "retiring" || k == "version" })
	data, err := json.Marshal(st)
	lab.Must(a.T, err)
	return string(data)
}
