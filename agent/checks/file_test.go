package checks

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dokku/scale"
)

// fileText is a file in one line: settings, then checks by line.
func fileText(f resolved, warnings []Warning) string {
	s := fmt.Sprintf("wait=%s timeout=%s attempts=%d", seconds(f.Settings.Wait), seconds(f.Settings.Timeout), f.Settings.Attempts)
	for _, c := range f.Checks {
		s += fmt.Sprintf("; %d: %s", c.Line, c)
	}
	for _, w := range warnings {
		s += "; ! " + w.String()
	}
	return s
}

// expect compares a result in full, and an error by its important part.
func expect(t *testing.T, got string, err error, want string) {
	t.Helper()
	if err == nil && got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
		t.Errorf("got error %q, want %q", err, want)
	}
}

func TestParseCHECKS(t *testing.T) {
	const std = "wait=5 timeout=30 attempts=5"
	tests := []struct{ name, src, want string }{
		{"path", "/", std + "; 1: http://localhost/"},
		{"path and text", "/status  All good \n", std + `; 1: http://localhost/status => "All good"`},
		{"tab", "/its_alive\tyeeees!!!!", std + `; 1: http://localhost/its_alive => "yeeees!!!!"`},
		{"host", "//example.com/a b", std + `; 1: http://example.com/a => "b"`},
		{"host without a path", "//example.com", std + "; 1: http://example.com/"},
		{"host with a query only", "//example.com?a=b", std + "; 1: http://example.com/?a=b"},
		{"https", "https://example.com/a", std + "; 1: https://example.com/a"},
		{"host and port", "http://localhost:5000/ x", std + `; 1: http://localhost:5000/ => "x"`},
		{"hash in path and text", "/a#b # c", std + `; 1: http://localhost/a#b => "# c"`},
		{"settings", "WAIT=30 # half a minute\nTIMEOUT = 60#x\nATTEMPTS=10\n\n/a", "wait=30 timeout=60 attempts=10; 5: http://localhost/a"},
		{"settings after the check", "/a\nWAIT=1", "wait=1 timeout=30 attempts=5; 1: http://localhost/a"},
		{"last one wins", "WAIT=1\nWAIT=2", "wait=2 timeout=30 attempts=5"},
		{"durations", "WAIT=1m\nTIMEOUT=2.5", "wait=60 timeout=2.5s attempts=5"},
		{"long", "WAIT=120\nATTEMPTS=10", "wait=120 timeout=30 attempts=10"},
		{"zero is the default", "TIMEOUT=0\nATTEMPTS=0", std},
		{"no wait", "WAIT=0", "wait=0 timeout=30 attempts=5"},
		{"CRLF and BOM", "\xef\xbb\xbfWAIT=1\r\n/a x\r\n", `wait=1 timeout=30 attempts=5; 2: http://localhost/a => "x"`},
		{"comments", "#WAIT=10\n# /a\n", std},
		{"empty", "", std},
		{"quotes", `/ "Link"`, std + "; 1: http://localhost/ => \"\"Link\"\"; ! CHECKS:1: `/ \"Link\"`: the quotes are part of the expected text: leave them out if the page does not have them"},
		{"unknown setting", "FOO=1", std + `; ! CHECKS:1: "FOO=1": this is not a setting of CHECKS: there are WAIT, TIMEOUT and ATTEMPTS`},
		{"small letters", "wait=7", std + `; ! CHECKS:1: "wait=7": settings are in capitals: did you mean WAIT=7?`},
		{"neither", "health ok", std + `; ! CHECKS:1: "health ok": this is neither a setting nor a check, and is ignored: a check starts with /path, //host/path or http://host/path`},

		{"word", "WAIT=abc", `CHECKS:1: "WAIT=abc": WAIT cannot be "abc": write seconds (5) or a duration (1m30s)`},
		{"negative", "WAIT=-1", "it has to be 0 or more"},
		{"no value", "WAIT=", "WAIT has no value: write WAIT=5"},
		{"attempts", "ATTEMPTS=101", "write a whole number from 1 to 100"},
		{"budget", "WAIT=400\nATTEMPTS=10", "CHECKS: WAIT=400 x ATTEMPTS=10 is 1h6m40s in all: lower them to 1h at most, or have the admin raise checks:set --global max-budget"},
		{"all at once", "WAIT=a\nTIMEOUT=b", "\nCHECKS:2"},
		{"bad URL", "http:///a", "is not a valid URL"},
		{"bad escape", "/%zz", "is not a valid URL"},
		{"password", "http://u:p@h/", "is not a valid URL"},
		{"many", strings.Repeat("/\n", 101), "there are 101 checks"},
		{"UTF-16", "\xff\xfe/\x00", "UTF-16"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, warnings, err := parseWith([]byte(tt.src), Defaults())
			expect(t, fileText(f, warnings), err, tt.want)
		})
	}
}

func TestCHECKSKeepsDefaults(t *testing.T) {
	s := Defaults()
	f, _, err := parseWith([]byte("WAIT=1\n/"), s)
	if err != nil {
		t.Fatal(err)
	}
	if s.Wait != 5*time.Second || s.Origin["wait"] != "default" || f.Settings.Origin["wait"] != "CHECKS" || f.Settings.Origin["timeout"] != "default" {
		t.Errorf("given %v, got %v", s, f.Settings)
	}
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name string
		from Sources
		want string
	}{
		{"nothing", Sources{}, "5s default 1m0s default"},
		{"server config", Sources{ServerConfig: map[string]string{"DOKKU_CHECKS_WAIT": "7"}}, "7s server config 1m0s default"},
		{"app config over server", Sources{Server: map[string]string{"wait": "7"}, AppConfig: map[string]string{"DOKKU_CHECKS_WAIT": "8", "DOKKU_WAIT_TO_RETIRE": "5s"}},
			"8s app config 5s app config"},
		{"property over config", Sources{App: map[string]string{"wait": "9"}, AppConfig: map[string]string{"DOKKU_CHECKS_WAIT": "8"}}, "9s app 1m0s default"},
		{"empty is unset", Sources{Server: map[string]string{"wait": "7"}, App: map[string]string{"wait": ""}}, "7s server 1m0s default"},
		{"bad value", Sources{AppConfig: map[string]string{"DOKKU_CHECKS_WAIT": "x"}},
			"cannot use DOKKU_CHECKS_WAIT=x (app config): write seconds (5) or a duration (1m30s); correct it with dokku config:set APP"},
		{"budget", Sources{App: map[string]string{"wait": "10m", "attempts": "7"}}, "lower them to 1h at most"},
		{"a budget of the server", Sources{App: map[string]string{"wait": "10m", "attempts": "7"}, Server: map[string]string{"max-budget": "2h"}}, "10m0s app 1m0s default"},
		{"no budget of an app", Sources{App: map[string]string{"wait": "10m", "attempts": "7", "max-budget": "2h"}}, "lower them to 1h at most"},
		{"bad bool", Sources{App: map[string]string{"skip-all": "maybe"}}, "write true or false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Resolve(tt.from)
			expect(t, fmt.Sprint(s.Wait, " ", s.Origin["wait"], " ", s.WaitToRetire, " ", s.Origin["wait-to-retire"]), err, tt.want)
		})
	}
}

func TestSkips(t *testing.T) {
	s, err := Resolve(Sources{AppConfig: map[string]string{"DOKKU_CHECKS_SKIPPED": "web,worker"}, App: map[string]string{"skip-default": "1"}})
	if err != nil || !s.Skips("web") || !s.Skips("worker") || s.Skips("clock") || !s.SkipDefault || s.SkipAll {
		t.Errorf("%+v, %v", s, err)
	}
	if s.Skip = []string{"_all_"}; !s.Skips("clock") {
		t.Error("_all_ skips not all")
	}
}

func TestCheckProperty(t *testing.T) {
	for _, tt := range []struct{ property, value, want string }{
		{"wait", "5", "<nil>"},
		{"wait", "", "<nil>"},
		{"wait", "x", `wait cannot be "x": write seconds (5) or a duration (1m30s)`},
		{"foo", "1", "Invalid property specified, valid properties include: wait, timeout, attempts, default-wait, uptime, listen-timeout, require-listening, image-healthcheck, wait-to-retire, skip-all, skip-default, skip, disabled, max-budget"},
	} {
		if got := fmt.Sprint(CheckProperty(tt.property, tt.value)); got != tt.want {
			t.Errorf("%s=%s: %s", tt.property, tt.value, got)
		}
	}
}

func healthchecks(t *testing.T, typ, list string) (string, error) {
	t.Helper()
	app, err := scale.ParseAppJSON([]byte(`{"healthchecks": {"` + typ + `": [` + list + `]}}`))
	if err != nil {
		t.Fatal(err)
	}
	checks, warnings, err := FromHealthchecks(typ, app.Healthchecks[typ], 10*time.Minute)
	s := ""
	for _, c := range checks {
		s += fmt.Sprintf("%s delay=%s wait=%s attempts=%d timeout=%s", c, duration(c.InitialDelay), duration(c.Wait), c.Attempts, duration(c.Timeout))
		for name, v := range c.Header {
			s += fmt.Sprintf(" %s: %s", name, v[0])
		}
		if c.Warn {
			s += " warn"
		}
		s += "; "
	}
	for _, w := range warnings {
		s += "! " + w.String() + "; "
	}
	return strings.TrimSuffix(s, "; "), err
}

func TestFromHealthchecks(t *testing.T) {
	const std = " delay=0s wait=5s attempts=3 timeout=5s"
	tests := []struct{ name, typ, list, want string }{
		{"path", "web", `{"type": "startup", "path": "/a"}`, "http://localhost/a" + std},
		{"nothing is /", "web", `{"type": "startup"}`, "http://localhost/" + std},
		{"others do not run", "web", `{"type": "readiness", "path": "/a"}, {"type": "liveness", "path": "/b"}`, ""},
		{"no type", "web", `{"path": "/a"}`, "http://localhost/a" + std + `; ! app.json:1: healthchecks.web: type is missing: it is run at deploys, as "startup"`},
		{"timing", "web", `{"type": "startup", "path": "/", "port": 8000, "attempts": 5, "initialDelay": 30, "timeout": 60, "wait": 1}`,
			"http://localhost/ (port 8000) delay=30s wait=1s attempts=5 timeout=1m"},
		{"headers", "web", `{"type": "startup", "scheme": "HTTPS", "content": "x", "httpHeaders": [{"name": "Host", "value": "a.b"}, {"name": "X-A", "value": "c"}]}`,
			`https://a.b/ => "x"` + std + " X-A: c"},
		{"listening", "web", `{"type": "startup", "listening": true, "warn": true}`, "accepts connections" + std + " warn"},
		{"uptime", "worker", `{"type": "startup", "uptime": 90}`, "up for 1m30s" + std},
		{"command", "worker", `{"type": "startup", "command": ["a", "b"]}`, "runs a b" + std},
		{"onFailure", "worker", `{"type": "startup", "uptime": 1, "onFailure": {"url": "http://x"}}`, "up for 1s" + std + "; ! app.json:1: healthchecks.worker: onFailure.url is not called, since the server sends nothing for an app: let onFailure.command do it"},

		{"two kinds", "web", `{"type": "startup", "name": "n", "path": "/", "uptime": 1}`, `app.json:1: healthchecks.web "n": path and uptime exclude each other`},
		{"unknown type", "web", `{"type": "start"}`, `! app.json:1: healthchecks.web: type is "start", so nothing runs it: deploys run the type startup`},
		{"zero is the default", "web", `{"type": "startup", "attempts": 0, "wait": 0, "timeout": 0}`, "http://localhost/" + std},
		{"no port", "worker", `{"type": "startup", "path": "/"}`, "port is missing: only web has one by itself"},
		{"bad port", "web", `{"type": "startup", "port": 70000}`, "port is 70000"},
		{"bad path", "web", `{"type": "startup", "path": "a"}`, "it has to start with /"},
		{"space", "web", `{"type": "startup", "path": "/a b"}`, "it is not valid in a URL"},
		{"bad scheme", "web", `{"type": "startup", "scheme": "ftp"}`, "write http or https"},
		{"bad header", "web", `{"type": "startup", "httpHeaders": [{"name": "A", "value": "b\r\nc: d"}]}`, "is not a valid header"},
		{"uptime too long", "web", `{"type": "startup", "uptime": 346600}`, "uptime is 346600 seconds: write at most 600"},
		{"attempts", "web", `{"type": "startup", "attempts": 101}`, "attempts is 101: write a number from 1 to 100"},
		{"budget", "web", `{"type": "startup", "attempts": 100, "wait": 10}`, "is 16m40s: lower them"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := healthchecks(t, tt.typ, tt.list)
			expect(t, got, err, tt.want)
		})
	}
}

func planText(p Plan) string {
	s := ""
	for _, typ := range []string{"web", "worker"} {
		for _, c := range p.Checks[typ] {
			s += fmt.Sprintf("%s %s [%s] ", typ, c, c.Source)
		}
	}
	return strings.TrimSpace(s + p.Skipped)
}

func TestNewPlan(t *testing.T) {
	types := []string{"web", "worker"}
	file, _, err := ParseCHECKS([]byte("/a"))
	if err != nil {
		t.Fatal(err)
	}
	const both = `{"healthchecks": {"web": [{"type": "startup", "path": "/j"}], "worker": [{"type": "startup", "uptime": 2}]}}`
	skip := func(f func(*Settings)) Settings {
		s := Defaults()
		f(&s)
		return s
	}
	tests := []struct {
		name     string
		file     *File
		json     string
		settings Settings
		want     string
	}{
		{"default", nil, "{}", Defaults(), "web accepts connections [] worker up for 10s []"},
		{"CHECKS", &file, "{}", Defaults(), "web http://localhost/a [CHECKS] worker up for 10s []"},
		{"app.json", nil, both, Defaults(), "web http://localhost/j [app.json] worker up for 2s [app.json]"},
		{"CHECKS over app.json", &file, both, Defaults(), "web http://localhost/a [CHECKS] worker up for 2s [app.json]"},
		{"liveness is not over CHECKS", &file, `{"healthchecks": {"web": [{"type": "liveness", "path": "/l"}]}}`, Defaults(),
			"web http://localhost/a [CHECKS] worker up for 10s []"},
		{"skip all", nil, both, skip(func(s *Settings) { s.SkipAll, s.Origin["skip-all"] = true, "app config" }), "for web, worker (skip-all of app config)"},
		{"skip default", nil, "{}", skip(func(s *Settings) { s.SkipDefault = true }), "for web, worker"},
		{"skip one", nil, both, skip(func(s *Settings) { s.Skip = []string{"web"} }), "worker up for 2s [app.json] for web"},
		{"error", nil, `{"healthchecks": {"web": [{"type": "startup", "port": -1}]}}`, Defaults(), `app.json:1: healthchecks.web: port is -1`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app, err := scale.ParseAppJSON([]byte(tt.json))
			if err != nil {
				t.Fatal(err)
			}
			p, _, err := NewPlan(Inputs{Types: types, File: tt.file, AppJSON: app, Settings: tt.settings})
			expect(t, planText(p), err, tt.want)
		})
	}
}

// TestFirstDomain: a check that names no host asks for the app's first domain; a redirect
// to it stays on the app.
func TestFirstDomain(t *testing.T) {
	file, _, err := ParseCHECKS([]byte("/a\n//b.example/a\n"))
	if err != nil {
		t.Fatal(err)
	}
	const json = `{"healthchecks": {"worker": [{"type": "startup", "path": "/j", "port": 80},
		{"type": "startup", "path": "/k", "port": 80, "httpHeaders": [{"name": "Host", "value": "c.example"}]}]}}`
	app, err := scale.ParseAppJSON([]byte(json))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		domains []string
		want    string
	}{
		{nil, "http://localhost/a http://b.example/a http://localhost/j http://c.example/k"},
		{[]string{"*.example.com", "shop.example.com", "example.com"}, "http://shop.example.com/a http://b.example/a http://shop.example.com/j http://c.example/k"},
		{[]string{"_", "my_shop.example.com"}, "http://my_shop.example.com/a http://b.example/a http://my_shop.example.com/j http://c.example/k"},
		{[]string{"*.example.com"}, "http://localhost/a http://b.example/a http://localhost/j http://c.example/k"},
	} {
		p, _, err := NewPlan(Inputs{Types: []string{"web", "worker"}, Domains: tt.domains, File: &file, AppJSON: app, Settings: Defaults()})
		var urls []string
		for _, c := range append(p.Checks["web"], p.Checks["worker"]...) {
			urls = append(urls, c.URL)
		}
		if got := strings.Join(urls, " "); err != nil || got != tt.want {
			t.Errorf("%v: got %s, %v", tt.domains, got, err)
		}
	}
	if file.Checks[0].URL != "http://localhost/a" {
		t.Errorf("the release's own check is %s now", file.Checks[0].URL)
	}
}

// TestQuickImageCheck: an attempt takes a second at least, so a HEALTHCHECK with
// --interval=1ms --start-period=50m would keep the gate, and the app's lock, for a month.
func TestQuickImageCheck(t *testing.T) {
	h := Healthcheck{Command: []string{"false"}, Interval: time.Millisecond, StartPeriod: 50 * time.Minute}
	if c := h.check(time.Hour); c.window()*time.Duration(c.Attempts) > time.Hour {
		t.Errorf("%d attempts of %s", c.Attempts, c.window())
	}
}

// TestImageHealthcheck: HEALTHCHECK counts beside the other checks of web, or of all types
// of an app without web, for as long as the engine would take to call it unhealthy.
func TestImageHealthcheck(t *testing.T) {
	h := &Healthcheck{Command: []string{"curl", "x"}, Interval: 10 * time.Second, StartPeriod: 25 * time.Second, Retries: 2}
	off := Defaults()
	off.ImageHealthcheck = false
	skipped := Defaults()
	skipped.SkipAll = true
	for _, tt := range []struct {
		name     string
		image    *Healthcheck
		types    []string
		settings Settings
		want     string
	}{
		{"web", h, []string{"web", "worker"}, Defaults(), "web accepts connections [] web runs curl x [HEALTHCHECK] worker up for 10s []"},
		{"no web", h, []string{"worker"}, Defaults(), "worker up for 10s [] worker runs curl x [HEALTHCHECK]"},
		{"none", nil, []string{"web"}, Defaults(), "web accepts connections []"},
		{"left out", h, []string{"web"}, off, "web accepts connections []"},
		{"skipped", h, []string{"web"}, skipped, "for web"},
	} {
		p, _, err := NewPlan(Inputs{Types: tt.types, Image: tt.image, Settings: tt.settings})
		expect(t, planText(p), err, tt.want)
	}
	if c := h.check(time.Hour); c.Attempts != 5 || c.Wait != 10*time.Second || c.Timeout != 30*time.Second {
		t.Errorf("%+v", c)
	}
	if c := (Healthcheck{Command: []string{"x"}, StartPeriod: time.Hour}).check(time.Minute); c.Attempts != 2 {
		t.Errorf("over the budget: %+v", c)
	}
}
