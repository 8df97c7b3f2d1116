package admin

import (
	"strings"
	"testing"

	"dokku/agent/command/cli"
	"dokku/agent/doctor"
)

// printed returns what the doctor prints on stdout and on stderr.
func printed(found []doctor.Finding, app string, quiet bool) (out, errs string) {
	var stdout, stderr strings.Builder
	r := &cli.Runner{Env: cli.Env{Stdout: &stdout, Stderr: &stderr, Terminal: true}, Quiet: quiet}
	printFindings(&cli.Call{Runner: r}, found, app)
	return stdout.String(), stderr.String()
}

// TestPrintFindings: in an overview, a healthy app has one line and any other its problems.
func TestPrintFindings(t *testing.T) {
	found := []doctor.Finding{
		{Check: "deploy", App: "sick", Status: doctor.HealthOK, Text: "v2, 3f2c1d9", Fixed: true},
		{Check: "engine", Status: doctor.HealthOK, Text: "29.7.2"},
		{Check: "deploy", App: "hello", Status: doctor.HealthOK, Text: "v1, 3f2c1d9"},
		{Check: "processes", App: "hello", Status: doctor.HealthOK, Text: "1 web running, http://hello.example.com", Sums: true},
		{Check: "permissions", App: "sick", Status: doctor.HealthOK, Text: "only dokku may read them"},
		{Check: "processes", App: "sick", Status: doctor.HealthProblem, Text: "web.1 is paused", Fix: "docker unpause sick.web.1"},
		{Check: "route", App: "sick", Status: doctor.HealthWarning, Text: "nginx is behind"},
	}
	const (
		engine   = "=====> Health of the server\n       engine                        fine: 29.7.2\n"
		hello    = "=====> Health of the apps\n       hello                         fine: 1 web running, http://hello.example.com\n"
		fixed    = "       sick deploy                   fixed: v2, 3f2c1d9\n"
		problems = " !     sick processes                web.1 is paused; to fix: docker unpause sick.web.1\n" +
			" !     sick route                    nginx is behind\n"
	)
	for _, test := range []struct {
		name      string
		found     []doctor.Finding
		app       string
		quiet     bool
		out, errs string
	}{
		{"all", found, "", false, engine + hello + fixed + "=====> 2 apps, 1 problem, 1 warning, 1 fixed\n", problems},
		{"all, quietly", found, "", true, "", problems},
		{"no problem", found[1:4], "", false, engine + hello + "=====> 1 app, no problems\n", ""},
		{"no problem, quietly", found[1:4], "", true, "", ""},
		{"no app", found[1:2], "", false, engine + "=====> 0 apps, no problems\n", ""},
		{"one app", found[2:4], "hello", false, "=====> Health of hello\n       hello deploy                  fine: v1, 3f2c1d9\n" +
			"       hello processes               fine: 1 web running, http://hello.example.com\n", ""},
	} {
		if out, errs := printed(test.found, test.app, test.quiet); out != test.out || errs != test.errs {
			t.Errorf("%s prints\n%s%swant\n%s%s", test.name, out, errs, test.out, test.errs)
		}
	}
}
