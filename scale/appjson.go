package scale

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	// FirstDeploy runs once in the life of an app: at its first deploy, before the
	// processes start (scripts.postdeploy, as Heroku calls it). Empty: none.
	FirstDeploy string
	// Env has the variables, sorted by name.
	Env []EnvVar
	// Cron has the valid tasks, in the order of the file.
	Cron []CronTask
	// Warnings are about settings that have no effect.
	Warnings []Problem
	// Ignored are keys of other platforms that have no effect here, such as addons.
	Ignored []string

	scripts []script
	// problems are those of env, cron and scripts.postdeploy. They are not errors of
	// ParseAppJSON, because releases of older versions have them.
	problems Problems
}

// script is a script of the file with its name and its line.
type script struct {
	name, command string
	line          int
}

// Quantity is the formation of one type.
type Quantity struct {
	Quantity    *int // nil: not set
	MaxParallel int  // most processes replaced at a time; 0: not set
	Line        int  // 1-based, of the quantity or else of the type
	// Rollover is how its processes are replaced; "": not set. RolloverLine is its line.
	Rollover     Rollover
	RolloverLine int
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
		Quantity    *int    `json:"quantity"`
		MaxParallel *int    `json:"max_parallel"`
		Rollover    *string `json:"rollover"`
	} `json:"formation"`
	Healthchecks map[string][]Healthcheck `json:"healthchecks"`
	Scripts      struct {
		Dokku struct {
			Predeploy  string `json:"predeploy"`
			Postdeploy string `json:"postdeploy"`
		} `json:"dokku"`
		Postdeploy json.RawMessage `json:"postdeploy"`
	} `json:"scripts"`
	Env  json.RawMessage `json:"env"`
	Cron json.RawMessage `json:"cron"`
}

// ParseAppJSON reads an app.json. It allows comments and trailing commas; an empty file is
// like {}. The error is a Problems that names the line. It does not check healthchecks:
// package agent/checks does. Nor does it refuse what Check finds.
func ParseAppJSON(src []byte) (AppJSON, error) {
	src, err := plain(appJSONName, src, maxJSON)
	if err != nil {
		return AppJSON{}, err
	}
	if len(bytes.TrimSpace(src)) == 0 {
		return AppJSON{}, nil
	}
	// ToJSON replaces comments by spaces, so offsets and lines stay correct.
	src = jsonc.ToJSON(src)
	where, bad := locate(src)
	if bad != nil {
		return AppJSON{}, bad
	}
	var file appJSONFile
	// A value of the wrong kind does not keep the others from being read.
	wrong := typeProblem(src, where, json.Unmarshal(src, &file))
	app := AppJSON{
		Healthchecks: file.Healthchecks,
		Predeploy:    strings.TrimSpace(file.Scripts.Dokku.Predeploy),
		Postdeploy:   strings.TrimSpace(file.Scripts.Dokku.Postdeploy),
		Warnings:     unsupported(where),
		Ignored:      ignored(where),
	}
	app.readFirstDeploy(file.Scripts.Postdeploy, where)
	app.readEnv(file.Env, where)
	app.readCron(file.Cron, where)
	app.scripts = app.named(where)
	for typ, checks := range app.Healthchecks {
		for i := range checks {
			checks[i].Line = where.line("healthchecks", typ, fmt.Sprint(i))
		}
	}
	bad = append(wrong, app.readFormation(file, where)...)
	if len(wrong) > 0 {
		bad = append(bad, app.problems...)
	}
	slices.SortStableFunc(bad, func(a, b Problem) int { return a.Line - b.Line })
	return app, bad.err()
}

// named lists the scripts that run.
func (a AppJSON) named(where location) (list []script) {
	for _, s := range []script{
		{"scripts.dokku.predeploy", a.Predeploy, where.line("scripts", "dokku", "predeploy")},
		{"scripts.dokku.postdeploy", a.Postdeploy, where.line("scripts", "dokku", "postdeploy")},
		{"scripts.postdeploy", a.FirstDeploy, where.line("scripts", "postdeploy")},
	} {
		if s.command != "" {
			list = append(list, s)
		}
	}
	return list
}

func (a *AppJSON) readFirstDeploy(raw json.RawMessage, where location) {
	if len(raw) == 0 {
		return
	}
	if err := json.Unmarshal(raw, &a.FirstDeploy); err != nil {
		a.problems = append(a.problems, Problem{File: appJSONName, Line: where.line("scripts", "postdeploy"),
			Message: "scripts.postdeploy must be a text in quotes"})
	}
	a.FirstDeploy = strings.TrimSpace(a.FirstDeploy)
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
			problem("quantity", strconv.Itoa(*f.Quantity),
				fmt.Sprintf("the quantity of %s is negative: write 0 to run none", typ))
		}
		if f.MaxParallel != nil {
			q.MaxParallel = *f.MaxParallel
			if q.MaxParallel < 0 {
				problem("max_parallel", strconv.Itoa(q.MaxParallel),
					fmt.Sprintf("max_parallel of %s is negative: remove it, or write 0, to start all at once", typ))
			}
		}
		if f.Rollover != nil {
			q.Rollover, q.RolloverLine = Rollover(*f.Rollover), where.line("formation", typ, "rollover")
			if !q.Rollover.valid() {
				problem("rollover", *f.Rollover, fmt.Sprintf("the rollover of %s is neither overlap nor exclusive: "+
					`write "exclusive" to stop its old processes before new ones start, or remove it`, typ))
			}
		}
		a.Formation[typ] = q
	}
	return bad
}

// CheckQuantities returns a Problems with the quantities above max, the server's limit for
// one type; 0 means DefaultMax.
func (a AppJSON) CheckQuantities(max int) error {
	var bad Problems
	for typ, q := range a.Formation {
		if q.Quantity == nil {
			continue
		}
		text := strconv.Itoa(*q.Quantity)
		if _, message := parseCount(typ, text, max); message != "" {
			bad = append(bad, Problem{appJSONName, q.Line, text, message})
		}
	}
	slices.SortFunc(bad, func(a, b Problem) int { return a.Line - b.Line })
	return bad.err()
}

// healthcheckKeys are the keys of a healthcheck.
var healthcheckKeys = []string{"type", "name", "description", "path", "content", "command", "uptime", "listening", "port", "scheme",
	"httpHeaders", "initialDelay", "attempts", "wait", "timeout", "warn", "onFailure"}

// formationKeys are the keys of formation.TYPE, with those that only other platforms read.
var formationKeys = []string{"quantity", "max_parallel", "rollover", "size", "autoscaling", "service"}

// ignored returns the keys that only other platforms read.
func ignored(where location) (keys []string) {
	for _, path := range slices.Sorted(maps.Keys(where)) {
		switch p := strings.Split(path, "\x00"); {
		case len(p) == 1 && slices.Contains([]string{"addons", "buildpacks", "stack"}, p[0]),
			len(p) == 3 && p[0] == "formation" && (p[2] == "size" || p[2] == "autoscaling"):
			keys = append(keys, strings.Join(p, "."))
		}
	}
	return keys
}

// unsupported warns of settings that would silently have no effect.
func unsupported(where location) []Problem {
	var list []Problem
	warn := func(message string, path ...string) {
		if where.has(path...) {
			list = append(list, Problem{File: appJSONName, Line: where.line(path...), Message: message})
		}
	}
	warn("scripts.predeploy is not run: write it as scripts.dokku.predeploy", "scripts", "predeploy")
	for _, path := range slices.Sorted(maps.Keys(where)) {
		keys := strings.Split(path, "\x00")
		if len(keys) == 3 && keys[0] == "formation" && !slices.ContainsFunc(formationKeys, func(k string) bool { return strings.EqualFold(k, keys[2]) }) {
			warn(fmt.Sprintf("%s is unknown and has no effect: write quantity, max_parallel or rollover", strings.Join(keys, ".")), keys...)
		}
		if len(keys) == 3 && keys[0] == "cron" && !slices.ContainsFunc(cronKeys, func(k string) bool { return strings.EqualFold(k, keys[2]) }) {
			warn(fmt.Sprintf("%s of a cron task is unknown and has no effect: write %s", Quote(keys[2]), strings.Join(cronKeys, ", ")), keys...)
		}
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

// typeProblem adds the line and the value to an error of encoding/json about a value of the
// wrong kind, which is the first of its document.
func typeProblem(src []byte, where location, err error) Problems {
	var t *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &t):
		return Problems{{File: appJSONName, Message: err.Error()}}
	}
	kind := map[string]string{"int": "a whole number, without quotes", "string": "a text in quotes",
		"bool": "true or false", "slice": "a list in [ ]", "map": "an object in { }", "struct": "an object in { }"}[t.Type.Kind().String()]
	field := where.field(t.Offset, t.Field)
	if field == "" {
		field = "the file"
	}
	given, _, _ := strings.Cut(t.Value, " ") // "number 1.5"
	p := Problem{File: appJSONName, Line: lineAt(src, t.Offset), Message: fmt.Sprintf("%s is of kind %s: write %s", field, given, kind)}
	if given != "object" && given != "array" {
		p.Text = string(lastScalar(src[:t.Offset]))
	}
	return Problems{p}
}
