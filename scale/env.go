package scale

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// EnvVar is a variable of app.json's env. The fields and their defaults are Dokku 0.38's.
type EnvVar struct {
	Name        string
	Description string
	Value       string // default; empty: none
	Required    bool   // default true
	Secret      bool   // generator: "secret"
	Sync        bool   // Value is set at each deploy, not only at the first
	Line        int    // 1-based
}

// envValue is a variable as encoding/json sees it: a text, or an object.
type envValue struct {
	Description string `json:"description"`
	Value       scalar `json:"value"`
	Required    *bool  `json:"required"`
	Generator   string `json:"generator"`
	Sync        bool   `json:"sync"`
}

// scalar is a text; a number or a truth value counts as its text.
type scalar string

func (s *scalar) UnmarshalJSON(data []byte) error {
	if text := string(data); text == "true" || text == "false" || strings.ContainsAny(text[:1], "-0123456789") {
		*s = scalar(text)
		return nil
	}
	return json.Unmarshal(data, (*string)(s))
}

// readEnv reads env, which other platforms also allow to be a list of names.
func (a *AppJSON) readEnv(raw json.RawMessage, where location) {
	var names []string
	if len(raw) == 0 || json.Unmarshal(raw, &names) == nil {
		for _, name := range names {
			a.Env = append(a.Env, EnvVar{Name: name, Required: true, Line: where.line("env")})
		}
		return
	}
	problem := func(message string, path ...string) {
		a.problems = append(a.problems, Problem{File: appJSONName, Line: where.line(path...), Message: strings.Join(path, ".") + message})
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		problem(" must be an object in { }", "env")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, err := parseEnvValue(values[name])
		switch {
		case !syntax.ValidName(name):
			problem(": this cannot be the name of a variable: use letters, digits and _", "env", name)
		case err != nil:
			problem(` must be a text in quotes, or an object of "value", "required" (true or false), `+
				`"generator", "sync" (true or false) and "description"`, "env", name)
		case v.Generator != "" && v.Generator != "secret":
			problem(fmt.Sprintf(": %s is not known: the only one is secret", Quote(v.Generator)), "env", name, "generator")
		default:
			a.Env = append(a.Env, EnvVar{Name: name, Description: v.Description, Value: string(v.Value),
				Required: v.Required == nil || *v.Required, Secret: v.Generator != "", Sync: v.Sync, Line: where.line("env", name)})
		}
	}
}

func parseEnvValue(raw json.RawMessage) (v envValue, err error) {
	if bytes.HasPrefix(raw, []byte("{")) {
		err = json.Unmarshal(raw, &v)
		return v, err
	}
	err = json.Unmarshal(raw, &v.Value)
	return v, err
}

// Variables decides about env as Dokku 0.38 does. config is what the app's processes get
// without it. At the first deploy all variables count, later those with sync. set has the
// values that the deploy adds; secret makes one for a generator, which never replaces a
// value. missing are the required variables without a value, at the first deploy: an app
// that works without them is never refused.
func (a AppJSON) Variables(config map[string]string, first bool, secret func() string) (set map[string]string, missing []EnvVar) {
	set = map[string]string{}
	for _, v := range a.Env {
		current := config[v.Name]
		switch {
		case !first && !v.Sync:
		case current != "" && (!v.Sync || v.Secret || v.Value == ""):
		case v.Secret:
			set[v.Name] = secret()
		case v.Value != "":
			if v.Value != current {
				set[v.Name] = v.Value
			}
		case v.Required && first:
			missing = append(missing, v)
		}
	}
	return set, missing
}
