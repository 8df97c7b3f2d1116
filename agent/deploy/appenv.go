package deploy

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/scale"
)

// UnsetError says that app.json requires variables that have no value.
type UnsetError struct {
	App       string
	File      string // the path of app.json in the revision
	Variables []scale.EnvVar
}

// Error returns a line for each variable, and the command that sets them.
func (e *UnsetError) Error() string {
	var b strings.Builder
	for _, v := range e.Variables {
		fmt.Fprintf(&b, "%s:%d: required env var %s has no value", e.File, v.Line, v.Name)
		if v.Description != "" {
			fmt.Fprintf(&b, " (%s)", scale.Quote(v.Description))
		}
		b.WriteString("\n")
	}
	return b.String() + "Set it and push again: " + setCommand(e.App, variables(e.Variables))
}

// setCommand returns the command that sets variables.
func setCommand(app string, variables []string) string {
	return fmt.Sprintf("dokku config:set %s %s=...", app, strings.Join(variables, "=... "))
}

// environment adds the variables of app.json's env to a new release, which the commit
// also stores in the app's config: a rejected deploy changes no setting, and a generated
// secret is the same in both. The error is an *UnsetError.
func (b *building) environment() error {
	x, r := b.session, b.release
	env := r.Control.AppJSON
	// dokku sets PORT itself, so an env that names it needs no value.
	present := r.Environment(app.Process{Type: scale.Web, Index: 1})
	first := x.Current == nil
	set, missing := env.Variables(present, first, secret)
	if len(missing) > 0 {
		return &UnsetError{x.Name, r.RepositoryPath(app.FileAppJSON), missing}
	}
	if !first {
		unsetSince(x, env, present)
	}
	if len(set) == 0 {
		return nil
	}
	x.Log.Step("Processing app.json env vars")
	x.Log.Step("Setting %d env var(s) from app.json: %s", len(set), strings.Join(slices.Sorted(maps.Keys(set)), " "))
	maps.Copy(r.Config, set)
	r.Sets = set
	return nil
}

// unsetSince names the variables that a first deploy would set or require now. An app
// that was deployed before it had an env works without them, so that is no error.
func unsetSince(x *Session, env scale.AppJSON, present map[string]string) {
	set, missing := env.Variables(present, true, func() string { return "secret" })
	unset := variables(missing)
	for name := range set {
		if present[name] == "" {
			unset = append(unset, name)
		}
	}
	if slices.Sort(unset); len(unset) > 0 {
		x.Log.Step("app.json's env counts at the first deploy, so these stay unset: %s", setCommand(x.Name, unset))
	}
}

// secret returns 64 random hexadecimal digits.
func secret() string {
	b := make([]byte, 32)
	rand.Read(b) // never fails: see crypto/rand
	return hex.EncodeToString(b)
}

// variables returns the names of variables.
func variables(list []scale.EnvVar) (names []string) {
	for _, v := range list {
		names = append(names, v.Name)
	}
	return names
}
