package scale

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/jsonc"
)

const appJSONName = "app.json"

// AppJSON is the part of an app.json about running an app. Keys for other platforms are
// ignored.
type AppJSON struct {
	// Formation has the counts by process type.
	Formation map[string]Quantity
	// Healthchecks are the checks by process type, in the order of the file.
	Healthchecks map[string][]Healthcheck
	// Predeploy runs once in the new image before the processes start,
	// Postdeploy after the switch (scripts.dokku). Empty: none.
	Predeploy  string
	Postdeploy string
	// Warnings are about settings that have no effect.
	Warnings []Problem
}

// Quantity is the formation of one type.
type Quantity struct {
	Quantity    *int // nil: not set
	MaxParallel int  // most processes replaced at a time; 0: not set
	Line        int  // 1-based, of the quantity or else of the type
}

// Scales reports whether the file decides the formation, that is, sets any quantity.
func (a AppJSON) Scales() bool {
	for _, q := range a.Formation {
		if q.Quantity != nil {
			return true
		}
	}
	return false
}

// Healthcheck is a check of healthchecks.TYPE as written. A nil or zero field is missing
// in the file. Durations are in seconds. The fields are those of
// docker-container-healthchecker, which Dokku 0.38 runs.
type Healthcheck struct {
	Type         string    `json:"type"` // startup, readiness, liveness
	Name         string    `json:"name"`
	Path         string    `json:"path"`
	Content      string    `json:"content"`
	Command      []string  `json:"command"`
	Uptime       int       `json:"uptime"`
	Listening    bool      `json:"listening"`
	Port         int       `json:"port"`
	Scheme       string    `json:"scheme"`
	HTTPHeaders  []Header  `json:"httpHeaders"`
	InitialDelay int       `json:"initialDelay"`
	Attempts     *int      `json:"attempts"`
	Wait         *int      `json:"wait"`
	Timeout      *int      `json:"timeout"`
	Warn         bool      `json:"warn"`
	OnFailure    OnFailure `json:"onFailure"`

	Line int `json:"-"` // 1-based, first line of the check
}

// OnFailure is the reaction to a failed check.
type OnFailure struct {
	Command []string `json:"command"`
	URL     string   `json:"url"`
}

// Header is a header that a check sends.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// appJSONFile is the file as encoding/json sees it.
type appJSONFile struct {
	Formation map[string]struct {
		Quantity    *int `json:"quantity"`
		MaxParallel *int `json:"max_parallel"`
	} `json:"formation"`
	Healthchecks map[string][]Healthcheck `json:"healthchecks"`
	Scripts      struct {
		Dokku struct {
			Predeploy  string `json:"predeploy"`
			Postdeploy string `json:"postdeploy"`
		} `json:"dokku"`
	} `json:"scripts"`
}

// ParseAppJSON reads an app.json. It allows comments and trailing commas. The error is a
// Problems that names the line. It does not check healthchecks: package agent/checks does.
func ParseAppJSON(src []byte) (AppJSON, error) {
	src, err := plain(appJSONName, src, maxJSON)
	if err != nil {
		return AppJSON{}, err
	}
	if len(bytes.TrimSpace(src)) == 0 {
		return AppJSON{}, Problems{{File: appJSONName, Message: "the file is empty: write {}, or remove it"}}
	}
	// ToJSON replaces comments by spaces, so offsets and lines stay correct.
	src = jsonc.ToJSON(src)
	where, bad := locate(src)
	if bad != nil {
		return AppJSON{}, bad
	}
	var file appJSONFile
	if err := json.Unmarshal(src, &file); err != nil {
		return AppJSON{}, typeProblem(src, where, err)
	}
	app := AppJSON{
		Healthchecks: file.Healthchecks,
		Predeploy:    strings.TrimSpace(file.Scripts.Dokku.Predeploy),
		Postdeploy:   strings.TrimSpace(file.Scripts.Dokku.Postdeploy),
		Warnings:     unsupported(where),
	}
	for typ, checks := range app.Healthchecks {
		for i := range checks {
			checks[i].Line = where.line("healthchecks", typ, fmt.Sprint(i))
		}
	}
	bad = app.readFormation(file, where)
	return app, bad.err()
}

func (a *AppJSON) readFormation(file appJSONFile, where location) Problems {
	var bad Problems
	a.Formation = make(map[string]Quantity, len(file.Formation))
	for typ, f := range file.Formation {
		problem := func(key, text, message string) {
			bad = append(bad, Problem{appJSONName, where.line("formation", typ, key), text, message})
		}
		if message := badType(typ); message != "" {
			problem("", "", "formation: "+message)
			continue
		}
		q := Quantity{Quantity: f.Quantity, Line: where.line("formation", typ, "quantity")}
		if f.Quantity != nil && *f.Quantity < 0 {
			problem("quantity", fmt.Sprintf("%d", *f.Quantity),
				fmt.Sprintf("the quantity of %s is negative: write 0 to run none", typ))
		}
		if f.MaxParallel != nil {
			q.MaxParallel = *f.MaxParallel
			if q.MaxParallel < 1 {
				problem("max_parallel", fmt.Sprintf("%d", q.MaxParallel),
					fmt.Sprintf("max_parallel of %s must be at least 1", typ))
			}
		}
		a.Formation[typ] = q
	}
	slices.SortFunc(bad, func(a, b Problem) int { return a.Line - b.Line })
	return bad
}

// healthcheckKeys are the keys of a healthcheck.
var healthcheckKeys = []string{"type", "name", "description", "path", "content", "command", "uptime", "listening", "port", "scheme",
	"httpHeaders", "initialDelay", "attempts", "wait", "timeout", "warn", "onFailure"}

// unsupported warns of settings that would silently have no effect.
func unsupported(where location) []Problem {
	var list []Problem
	warn := func(message string, path ...string) {
		if where.has(path...) {
			list = append(list, Problem{File: appJSONName, Line: where.line(path...), Message: message})
		}
	}
	warn("cron is not supported, so these commands do not run", "cron", "0")
	for _, script := range []string{"predeploy", "postdeploy"} {
		warn(fmt.Sprintf("scripts.%s is not run: write it as scripts.dokku.%[1]s", script), "scripts", script)
	}
	for _, path := range slices.Sorted(maps.Keys(where)) {
		keys := strings.Split(path, "\x00")
		if len(keys) != 4 || keys[0] != "healthchecks" || slices.ContainsFunc(healthcheckKeys, func(k string) bool { return strings.EqualFold(k, keys[3]) }) {
			continue
		}
		message := fmt.Sprintf("healthchecks.%s: %s is unknown and ignored", keys[1], keys[3])
		if bare := strings.TrimSuffix(keys[3], "Seconds"); slices.Contains(healthcheckKeys, bare) {
			message += fmt.Sprintf(": did you mean %s?", bare)
		}
		warn(message, keys...)
	}
	slices.SortStableFunc(list, func(a, b Problem) int { return a.Line - b.Line })
	return list
}

// typeProblem adds the line to an error of encoding/json about a value of the wrong kind.
func typeProblem(src []byte, where location, err error) error {
	var t *json.UnmarshalTypeError
	if !errors.As(err, &t) {
		return Problems{{File: appJSONName, Message: err.Error()}}
	}
	kind := map[string]string{"int": "a whole number, without quotes", "string": "a text in quotes",
		"bool": "true or false", "slice": "a list in [ ]", "map": "an object in { }", "struct": "an object in { }"}[t.Type.Kind().String()]
	line := lineAt(src, t.Offset)
	field := where.field(line, t.Field)
	if field == "" {
		field = "the file"
	}
	return Problems{{File: appJSONName, Line: line,
		Message: fmt.Sprintf("%s must be %s, not of kind %s", field, kind, t.Value)}}
}
