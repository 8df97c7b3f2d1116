package scale

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func inputs(t *testing.T, procfile, dokkuScale, appJSON string, local map[string]int) Inputs {
	t.Helper()
	in := Inputs{Local: local}
	var err error
	if procfile != "" {
		if in.Procfile, err = ParseProcfile([]byte(procfile)); err != nil {
			t.Fatal(err)
		}
	}
	if in.DokkuScale, err = ParseDokkuScale([]byte(dokkuScale), 0); err != nil {
		t.Fatal(err)
	}
	if appJSON != "" {
		if in.AppJSON, err = ParseAppJSON([]byte(appJSON)); err != nil {
			t.Fatal(err)
		}
	}
	return in
}

func TestResolve(t *testing.T) {
	const procfile = "web: a\nworker: b\nrelease: c"
	tests := []struct {
		name, procfile, scale, json string
		local                       map[string]int
		want                        string
	}{
		{"nothing asked for", procfile, "", "", nil, "web=1(default) worker=0(default)"},
		{"no Procfile", "", "", "", nil, "web=1(default)"},
		{"no web", "bot: a", "", "", nil, "bot=0(default)"},
		{"local", procfile, "", "", map[string]int{"worker": 2}, "web=1(default) worker=2(local)"},
		{"local of a lost type", "web: a", "", "", map[string]int{"old": 2},
			"web=1(default); ! local setting old=2 is ignored: the app has no process type old any more"},
		{"file", procfile, "web=2\nworker=3", "", nil, "web=2(DOKKU_SCALE) worker=3(DOKKU_SCALE)"},
		{"file over local", procfile, "web=2\nworker=3", "", map[string]int{"web": 3, "worker": 3},
			"web=2(DOKKU_SCALE) worker=3(DOKKU_SCALE); DOKKU_SCALE sets web to 2 (local setting was 3)"},
		{"left out", procfile, "web=1", "", map[string]int{"worker": 2},
			"web=1(DOKKU_SCALE) worker=0(DOKKU_SCALE); DOKKU_SCALE sets worker to 0 (local setting was 2)"},
		{"web left out", procfile, "worker=1", "", nil,
			"web=0(DOKKU_SCALE) worker=1(DOKKU_SCALE); ! DOKKU_SCALE leaves out web, so no web process runs: if that is a mistake, set web to 1 in it"},
		{"web at 0 is meant", procfile, "web=0\nworker=1", "", nil, "web=0(DOKKU_SCALE) worker=1(DOKKU_SCALE)"},
		{"no web, none missed", "bot: a", "bot=1", "", nil, "bot=1(DOKKU_SCALE)"},
		{"app.json", procfile, "", `{"formation": {"web": {"quantity": 4}}}`, nil, "web=4(app.json) worker=0(app.json)"},
		{"app.json over both", procfile, "web=2", `{"formation": {"web": {"quantity": 4}}}`, map[string]int{"web": 1},
			"web=4(app.json) worker=0(app.json); ! app.json and DOKKU_SCALE both set the formation: app.json wins, DOKKU_SCALE is ignored; app.json sets web to 4 (local setting was 1)"},
		{"app.json without quantities", procfile, "web=2", `{"formation": {"web": {"max_parallel": 1}}}`, nil,
			"web=2(DOKKU_SCALE) worker=0(DOKKU_SCALE)"},
		{"0 of an unknown type", procfile, "web=1\nbeat=0", "", nil, "web=1(DOKKU_SCALE) worker=0(DOKKU_SCALE)"},

		{"unknown type", procfile, "web=1\nbeat=1", "", nil,
			`DOKKU_SCALE:2: "beat=1": the Procfile has no beat: add a line beat: command to the Procfile, or set beat to 0`},
		{"spelling", "web: a\nlicense-worker: b", "license_worker=1", "", nil, "did you mean license-worker?"},
		{"release", procfile, "release=1", "", nil, "release is not a process"},
		{"worker without a Procfile", "", "web=1\nworker=1", "", nil, "there is no Procfile, and only web runs without one"},
		{"unknown type in app.json", procfile, "", "{\"formation\":\n{\"beat\":\n{\"quantity\": 1}}}", nil, `app.json:3: "beat=1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, notes, err := Resolve(inputs(t, tt.procfile, tt.scale, tt.json, tt.local))
			check(t, formationText(f, notes), err, tt.want)
		})
	}
}

func formationText(f Formation, notes []Note) string {
	var parts []string
	for _, e := range f {
		parts = append(parts, fmt.Sprintf("%s=%d(%s)", e.Type, e.Count, e.Origin))
	}
	s := strings.Join(parts, " ")
	for _, n := range notes {
		if s += "; "; n.Warning {
			s += "! "
		}
		s += n.Text
	}
	return s
}

func TestParseCounts(t *testing.T) {
	known := []string{"web", "worker"}
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"web=2", "worker=08"}, "map[web:2 worker:8]"},
		{[]string{"web=1", "web=1"}, "map[web:1]"},
		{[]string{"gone=0"}, "map[gone:0]"},
		{nil, "map[]"},
		{[]string{"web"}, "Missing count for process type web"},
		{[]string{"web="}, "Invalid count for process type web"},
		{[]string{"web=two"}, "Invalid count for process type web"},
		{[]string{"web=-1"}, "Invalid count for process type web"},
		{[]string{"web=101"}, "Invalid count for process type web: 101 of web is more than 100, this server's limit for one type: lower it, or ask the server's admin to raise the limit"},
		{[]string{"web=1", "web=2"}, "Invalid count for process type web: it is given as 1 and as 2"},
		{[]string{"beat=1"}, "beat is not a valid process name to scale up"},
		{[]string{"release=0"}, "map[]"},
		{[]string{"release=1"}, "release is not a valid process name to scale up"},
		{[]string{"a b=1"}, "a b is not a valid process name to scale up"},
	}
	for _, tt := range tests {
		counts, err := ParseCounts(tt.args, known, 0)
		got := fmt.Sprint(counts)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.args, got, tt.want)
		}
	}
	if _, err := ParseCounts([]string{"beat=1"}, nil, 0); err != nil {
		t.Errorf("without known types: %v", err)
	}
}

func TestPrint(t *testing.T) {
	f := Formation{{"web", 1, FromDokkuScale}, {"worker", 4, FromDokkuScale}}
	var b bytes.Buffer
	if err := f.WriteTable(&b, "node-js-app", false); err != nil {
		t.Fatal(err)
	}
	want := "-----> Scaling for node-js-app\nproctype: qty\n--------: ---\nweb:  1\nworker: 4\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	if f.WriteTable(&b, "node-js-app", true); b.String() != "web:  1\nworker: 4\n" {
		t.Errorf("quiet: %q", b.String())
	}
	if j, err := f[:1].JSON(); err != nil || string(j) != `[{"process_type":"web","quantity":1,"origin":"DOKKU_SCALE"}]` {
		t.Errorf("%s, %v", j, err)
	}
	if j, err := Formation(nil).JSON(); err != nil || string(j) != "[]" {
		t.Errorf("%s, %v", j, err)
	}
	wantErr := "App node-js-app contains a DOKKU_SCALE file and cannot be manually scaled\n" +
		"DOKKU_SCALE of revision 3f2c1d9 says: web=1 worker=4; change it there and push"
	if err := f.Shipped("node-js-app", "3f2c1d9"); err == nil || err.Error() != wantErr {
		t.Errorf("got %v", err)
	}
	if err := (Formation{{"web", 1, FromLocal}}).Shipped("a", "b"); err != nil {
		t.Errorf("local: %v", err)
	}
}
