package command

import (
	"encoding/json"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/doctor"
)

// healthy is the doctor's output for an app whose only problem is the engine.
func healthy(app, releases, deploy, binary string) string {
	return "       " + app + " state                   fine: can be read, with " + releases + "\n" +
		"       " + app + " permissions             fine: its files belong to " + owner() + ", and their modes keep other users out\n" +
		"       " + app + " repository              fine: its hooks run " + binary + "\n" +
		"       " + app + " deploy                  fine: " + deploy + "\n" +
		"       " + app + " problem                 fine: none is recorded\n" +
		"       " + app + " isolation               fine: none, the app is older: its containers have the rights of Docker's defaults and no limits; to isolate it: dokku isolation:enable " +
		app + "\n"
}

func owner() string {
	u, err := user.Current()
	if err != nil {
		return strconv.Itoa(os.Geteuid())
	}
	return u.Username
}

func startDocker() string {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return "systemctl start docker"
	}
	return "service docker start"
}

func TestDoctor(t *testing.T) {
	f := newFixture(t)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	noEngine := " !     hello processes               cannot be told while the engine does not answer; to fix: " + startDocker() + "\n"
	wide := f.run("doctor", "hello")
	want := "hello/dokku has mode 0755, want 0700 (and "
	if wide.code != 1 || !strings.Contains(wide.stderr, " !     hello permissions             "+want) {
		t.Errorf("of a copy that all may read: %+v", wide)
	}
	got := f.run("doctor", "hello", "--fix")
	if fixed := "       hello permissions             fixed: " + want; got.code != 1 || got.stderr != noEngine || !strings.Contains(got.stdout, fixed) {
		t.Errorf("--fix: %+v", got)
	}
	all := healthy("hello", "1 release", "v1, 3f2c1d9", binary)
	f.expect("doctor hello", result{stdout: "=====> Health of hello\n" + all, stderr: noEngine, code: 1})
	f.expect("--app hello doctor", result{stdout: "=====> Health of hello\n" + all, stderr: noEngine, code: 1})
	f.terminal = true
	f.expect("doctor hello", result{stdout: "=====> Health of hello\n" + all, stderr: noEngine, code: 1})
	f.expect("--quiet doctor hello", result{stderr: noEngine, code: 1})
	f.expect("doctor hello --quiet", result{stderr: noEngine, code: 1})

	before := f.snapshot()
	whole := f.run("doctor")
	for _, part := range []string{"=====> Health of the server\n", "=====> Health of the apps\n", "       half-made apps                fine: none\n",
		"\n=====> 5 apps, "} {
		if !strings.Contains(whole.stdout, part) {
			t.Errorf("%q is missing in\n%s", part, whole.stdout)
		}
	}
	if part := " !     engine                        cannot ask the engine about itself: cannot reach the Docker Engine at unix:///nowhere.sock"; whole.code != 1 ||
		!strings.Contains(whole.stderr, part) {
		t.Errorf("%q is missing in\n%s", part, whole.stderr)
	}
	if strings.Contains(whole.stdout, "hello state") {
		t.Errorf("what is fine about an app with a problem is told:\n%s", whole.stdout)
	}
	if quiet := f.run("doctor", "--quiet"); quiet.stdout != "" || quiet.stderr != whole.stderr || quiet.code != 1 {
		t.Errorf("--quiet: %+v\nwant\n%s", quiet, whole.stderr)
	}
	if after := f.snapshot(); after != before {
		t.Errorf("a look changes something:\n%s\nbefore:\n%s", after, before)
	}
}

func TestDoctorJSON(t *testing.T) {
	f := newFixture(t)
	f.write("hello/dokku/problem.json", app.Problem{Version: 1, Text: "nginx\x1b[31m is\ndown"})
	got := f.run("doctor", "hello", "--format", "json", "--fix")
	var list []doctor.Finding
	if err := json.Unmarshal([]byte(got.stdout), &list); err != nil || got.code != 1 || got.stderr != "" {
		t.Fatalf("%v: %+v", err, got)
	}
	status := map[string]doctor.Finding{}
	for _, finding := range list {
		if finding.App != "hello" {
			t.Errorf("%+v", finding)
		}
		status[finding.Check] = finding
	}
	if p := status["permissions"]; p.Status != doctor.HealthOK || !p.Fixed {
		t.Errorf("permissions: %+v", p)
	}
	if p := status["problem"]; p.Status != doctor.HealthProblem || !p.Fixable || p.Fixed || p.Fix != "dokku doctor hello --fix" {
		t.Errorf("problem: %+v", p)
	}
	for line := range strings.Lines(f.run("doctor", "hello").stderr) {
		if !strings.HasPrefix(line, " !     hello ") || strings.Contains(line, "\x1b") {
			t.Errorf("a line is %q", line)
		}
	}
}

// A state that cannot be read is told, and keeps no other app from being looked at.
func TestDoctorUnreadable(t *testing.T) {
	f := newFixture(t)
	if err := os.WriteFile(filepath.Join(f.root, "fresh", "dokku", "state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := f.run("doctor", "--fix")
	if want := " !     fresh state                   cannot read "; got.code != 1 || !strings.Contains(got.stderr, want) {
		t.Errorf("%q is missing in\n%s", want, got.stderr)
	}
	if want := " !     hello processes               cannot be told while the engine does not answer"; !strings.Contains(got.stderr, want) {
		t.Errorf("%q is missing in\n%s", want, got.stderr)
	}
}
