package scale

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestParseEnv(t *testing.T) {
	tests := []struct{ name, env, want string }{
		{"text", `{"A": "b"}`, "env:A=b!"},
		{"object", `{"A": {"description": "x", "value": "b", "required": false, "sync": true}}`, "env:A=b~"},
		{"secret", `{"A": {"generator": "secret"}}`, "env:A=!?"},
		{"required by default", `{"A": {}, "B": {"required": true}, "C": "", "D": null}`, "env:A=! env:B=! env:C=! env:D=!"},
		{"numbers and truth values", `{"A": 5, "B": {"value": true}, "C": -1.5}`, "env:A=5! env:B=true! env:C=-1.5!"},
		{"list of names", `["A", "B"]`, "env:A=! env:B=!"},
		{"nothing", `{}`, ""},
		{"null", `null`, ""},
		{"unknown keys", `{"A": {"value": "b", "options": [1]}}`, "env:A=b!"},

		{"bad name", "{\n\"A-B\": \"c\"}", "app.json:2: env.A-B: this cannot be the name of a variable"},
		{"list as value", "{\n\n\"A\": [1]}", `app.json:3: env.A must be a text in quotes, or an object of "value"`},
		{"required as text", `{"A": {"required": "yes"}}`, "env.A must be a text in quotes, or an object"},
		{"generator", "{\"A\": {\n\"generator\": \"uuid\"}}", `app.json:2: env.A.generator: "uuid" is not known: the only one is secret`},
		{"text in place of the object", `"A=b"`, "app.json:1: env must be an object in { }"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseAppJSON([]byte(`{"env": ` + tt.env + `}`))
			if err == nil {
				err = a.Check()
			}
			check(t, appJSONText(a), err, tt.want)
		})
	}
}

func TestVariables(t *testing.T) {
	tests := []struct {
		name, env    string
		config       map[string]string
		first        bool
		set, missing string
	}{
		{"defaults", `{"A": "1", "B": {"value": "2"}}`, nil, true, "A=1 B=2", ""},
		{"what is set stays", `{"A": "1", "B": {"value": "2"}}`, map[string]string{"A": "9"}, true, "B=2", ""},
		{"an empty value counts as none", `{"A": "1"}`, map[string]string{"A": ""}, true, "A=1", ""},
		{"secret", `{"A": {"generator": "secret"}}`, nil, true, "A=generated", ""},
		{"secret that is set", `{"A": {"generator": "secret", "sync": true}}`, map[string]string{"A": "s"}, false, "", ""},
		{"required", `{"A": {}, "B": {"required": true}, "C": ""}`, map[string]string{"B": "x"}, true, "", "A C"},
		{"optional", `{"A": {"required": false}}`, nil, true, "", ""},
		{"later", `{"A": "1", "B": {}, "C": {"generator": "secret"}}`, nil, false, "", ""},
		{"sync", `{"A": {"value": "1", "sync": true}}`, map[string]string{"A": "9"}, false, "A=1", ""},
		{"sync that is up to date", `{"A": {"value": "1", "sync": true}}`, map[string]string{"A": "1"}, false, "", ""},
		{"sync at the first deploy", `{"A": {"value": "1", "sync": true}}`, map[string]string{"A": "9"}, true, "A=1", ""},
		{"sync without a value", `{"A": {"sync": true}}`, map[string]string{"A": "9"}, false, "", ""},
		{"sync without any value", `{"A": {"sync": true}}`, nil, true, "", "A"},
		{"sync without any value, later", `{"A": {"sync": true}}`, nil, false, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := ParseAppJSON([]byte(`{"env": ` + tt.env + `}`))
			if err != nil {
				t.Fatal(err)
			}
			set, missing := a.Variables(tt.config, tt.first, func() string { return "generated" })
			var pairs, names []string
			for _, k := range slices.Sorted(maps.Keys(set)) {
				pairs = append(pairs, fmt.Sprintf("%s=%s", k, set[k]))
			}
			for _, v := range missing {
				names = append(names, v.Name)
			}
			if got := strings.Join(pairs, " "); got != tt.set {
				t.Errorf("sets %q, want %q", got, tt.set)
			}
			if got := strings.Join(names, " "); got != tt.missing {
				t.Errorf("misses %q, want %q", got, tt.missing)
			}
		})
	}
}

func TestIgnored(t *testing.T) {
	a, err := ParseAppJSON([]byte(`{"addons": ["x"], "buildpacks": [], "stack": "heroku-22", "name": "a",
		"formation": {"web": {"quantity": 1, "size": "eco", "autoscaling": {"max_quantity": 2}}, "worker": {"size": "eco"}}}`))
	want := "addons buildpacks formation.web.autoscaling formation.web.size formation.worker.size stack"
	if got := strings.Join(a.Ignored, " "); got != want || err != nil || len(a.Warnings) > 0 {
		t.Errorf("got %q, %v, %v, want %q", got, err, a.Warnings, want)
	}
}
