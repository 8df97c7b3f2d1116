package inspect

import (
	"errors"
	"fmt"
	"testing"

	"dokku/build"
	"dokku/scale"
)

// TestFix: the fix is the end of a message, and begins with a verb.
func TestFix(t *testing.T) {
	for _, test := range []struct{ message, want string }{
		{"this is not a process: write type: command", "write type: command"},
		{"did you mean web=1?", "did you mean web=1?"},
		{"worker has no command: write worker: command, or remove the line", "write worker: command, or remove the line"},
		{"cannot build 3f2c1d9: it has no Dockerfile in its root, which has a.txt; add one and push again", "add one and push again"},
		{"cannot build 3f2c1d9: it has no Dockerfile in its root, but web/Dockerfile; to build that one: dokku builder:set APP build-dir web",
			"to build that one: dokku builder:set APP build-dir web"},
		{"the file is UTF-16: save it as UTF-8", "save it as UTF-8"},
		{"it replaces app.json's healthchecks for web", ""},
		{"addons have no effect, so nothing is made of them", ""},
		{`this cannot be the schedule of the cron task "npm run report": it is empty: write five fields`, "write five fields"},
	} {
		if got := (Problem{Problem: scale.Problem{Message: test.message}}).Fix(); got != test.want {
			t.Errorf("the fix of %q is %q, want %q", test.message, got, test.want)
		}
	}
}

// TestProblemOf: an error of a builder names its file from the root of the repository, and
// reads as it is.
func TestProblemOf(t *testing.T) {
	err := fmt.Errorf("cannot choose: %w", &build.FileError{File: "project.toml", Line: 3, Err: errors.New("cannot build 3f2c1d9: project.toml, line 3: a typing error")})
	p := problemOf(err, "apps/web")
	if p.File != "apps/web/project.toml" || p.Line != 3 || p.Severity != Error || p.String() != "cannot choose: cannot build 3f2c1d9: project.toml, line 3: a typing error" {
		t.Errorf("it becomes %+v", p)
	}
}

// TestReport: an error of a report has a line for each error, and only settings excuse one.
func TestReport(t *testing.T) {
	r := &Report{Problems: append(of(Warning, []scale.Problem{{File: "CHECKS", Line: 2, Message: "odd"}}),
		append(problems(scale.Problems{{File: "Procfile", Line: 1, Text: "web", Message: "wrong"}, {File: "CHECKS", Line: 1, Message: "bad"}}),
			Problem{Problem: scale.Problem{Message: "no builder"}, Severity: Error, Setting: true, whole: true})...)}
	if got, want := r.Err().Error(), "Procfile:1: \"web\": wrong\nCHECKS:1: bad\nno builder"; got != want {
		t.Errorf("the error is %q, want %q", got, want)
	}
	if w := r.Warnings(); len(w) != 1 || w[0] != "CHECKS:2: odd" || r.OnlySettings() {
		t.Errorf("the warnings are %q, only settings: %t", w, r.OnlySettings())
	}
	r.Problems = append(r.Problems[:1], r.Problems[3])
	if !r.OnlySettings() || r.Err() == nil {
		t.Error("a setting cannot correct what is left")
	}
	r.Problems = r.Problems[:1]
	if err := r.Err(); err != nil {
		t.Errorf("a warning is the error %v", err)
	}
}
