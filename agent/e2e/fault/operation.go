package fault

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"dokku/agent/agenttest"
	"dokku/agent/e2e/lab"
)

// An operation is a row of agenttest's table.
type operation struct{ agenttest.Operation }

// operations are those of this matrix.
func operations() (list []operation) {
	for _, o := range agenttest.Operations(agenttest.RealMatrix) {
		list = append(list, operation{o})
	}
	return list
}

func (o operation) verb() string { return agenttest.Verb(o.Line()) }

func (o operation) pushes() bool { return o.verb() == "push" }

// first reports whether the operation is an app's first push, which creates the app.
func (o operation) first() bool { return o.From == agenttest.None }

// own reports whether the operation needs an app of its own, because it makes,
// renames or destroys it. Requests to such an app may go unanswered.
func (o operation) own() bool {
	return o.first() || o.verb() == "apps:rename" || o.verb() == "apps:destroy"
}

// An attempt is an operation that has been started.
type attempt struct {
	*lab.Process
	rev string // the pushed revision
	// done reports whether the app has the requested state.
	done func() bool
	// rejects: the operation has to fail.
	rejects bool
	// other is the name that the app may have afterwards.
	other *lab.App
}

// start starts the operation on an app that is at rest.
func (o operation) start(a *lab.App) *attempt {
	a.Lab.T.Helper()
	switch o.Line() {
	case "push next":
		return pushes(a, lab.Files{"version": a.Lab.T.Name()})
	case "push broken":
		p := pushes(a, lab.Files{"Procfile": "web: /server -exit=1\nworker: /server -port=\n", "version": a.Lab.T.Name()})
		p.rejects = true
		return p
	}
	p := &attempt{}
	name := ""
	if o.verb() == "apps:rename" {
		p.other = a.Renamed()
		name = p.other.Name
	}
	words := agenttest.Words(o.Line(), a.Name, name, fmt.Sprint(a.State().Current))
	p.done = func() bool { return holds(a, words) }
	p.Process = a.Lab.Start(a.Lab.Command(words...))
	return p
}

// holds reports whether the app has the state that a command requests.
func holds(a *lab.App, words []string) bool {
	a.Lab.T.Helper()
	switch words[0] {
	case "apps:destroy":
		return !lab.Exists(a.Dir())
	case "apps:rename":
		return lab.Exists(filepath.Join(a.Lab.Root, words[2]))
	case "ps:scale":
		typ, n, _ := strings.Cut(words[2], "=")
		return fmt.Sprint(a.State().Scale[typ]) == n
	case "config:set":
		key, value, _ := strings.Cut(words[2], "=")
		return config(a)[key] == value
	}
	a.Lab.T.Fatalf("the matrix cannot tell whether %v is done", words)
	return false
}

// pushes starts a push of a commit on top of what the server has.
func pushes(a *lab.App, f lab.Files) *attempt {
	a.Lab.T.Helper()
	if tip := a.Tip("main"); tip != "" {
		a.Git("reset", "-q", "--hard", tip)
	}
	rev := a.Commit(f)
	return &attempt{Process: a.Pushing(rev + ":refs/heads/main"), rev: rev, done: func() bool { return a.Tip("main") == rev }}
}

// has scales the app to a formation, "web=1".
func has(a *lab.App, count string) {
	a.Lab.T.Helper()
	typ, n, _ := strings.Cut(count, "=")
	if fmt.Sprint(a.State().Scale[typ]) != n {
		a.Lab.Dokku("ps:scale", a.Name, count)
		restsNow(a)
	}
}

// config returns the app's own config.
func config(a *lab.App) map[string]string {
	a.Lab.T.Helper()
	var st struct{ Config map[string]string }
	lab.Must(a.Lab.T, json.Unmarshal(a.Read("dokku", "state.json"), &st))
	return st.Config
}

// asked returns the settings that a rejected push must not change (I8), as text.
func asked(a *lab.App) string {
	a.Lab.T.Helper()
	if !lab.Exists(a.Dir()) {
		return ""
	}
	var st map[string]any
	lab.Must(a.Lab.T, json.Unmarshal(a.Read("dokku", "state.json"), &st))
	maps.DeleteFunc(st, func(k string, _ any) bool { return k == "staged" || k == "retiring" || k == "version" })
	data, err := json.Marshal(st)
	lab.Must(a.Lab.T, err)
	return string(data)
}
