package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// twoTypes is a Procfile with a web type and a worker.
const twoTypes = "web: /server\nworker: /server -port=\n"

// TestShippedFormation: a repository's formation and checks win over the server's settings.
func TestShippedFormation(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.Files{"Procfile": twoTypes, "DOKKU_SCALE": "web=2\nworker=1\n", "CHECKS": "WAIT=2\nATTEMPTS=5\n\n/health web.\n"})
	l.Dokku("apps:create", a.Name)
	l.Dokku("ps:scale", a.Name, "web=3", "worker=4")
	out := a.Push(nil)
	a.Runs("web.1", "web.2", "worker.1")
	a.Serves(a.Tip("main"))
	lab.Contains(t, out, "-----> Set main as deploy-branch", "-----> Building "+a.Name, "-----> Releasing "+a.Name+" v1",
		"-----> DOKKU_SCALE sets web to 2 (local setting was 3)", "-----> DOKKU_SCALE sets worker to 1 (local setting was 4)",
		"-----> Starting web.1 web.2 worker.1", "-----> Running pre-flight checks: CHECKS", "http://"+a.Name+`.e2e.test/health => "web."`,
		"-----> All checks successful!", "=====> Application deployed", fmt.Sprintf("       http://%s.e2e.test:%d", a.Name, l.Nginx.Port))
	if got := formation(a); got != "web=2 DOKKU_SCALE, worker=1 DOKKU_SCALE" {
		t.Errorf("ps:scale shows %s", got)
	}

	before := a.Everything()
	out = l.Refused("ps:scale", a.Name, "web=3")
	if a.Everything() != before {
		t.Errorf("a refused ps:scale changes something")
	}
	lab.Contains(t, out, " !     App "+a.Name+" contains a DOKKU_SCALE file and cannot be manually scaled\n", a.Tip("main")[:7], "web=2")

	// Without the file, the server's settings apply again.
	a.Push(lab.Files{"DOKKU_SCALE": ""})
	a.Runs("web.1", "web.2", "web.3", "worker.1", "worker.2", "worker.3", "worker.4")
	if got := formation(a); got != "web=3 local, worker=4 local" {
		t.Errorf("without the file ps:scale shows %s", got)
	}
}

// TestScale: scaling starts missing processes, stops surplus ones, and leaves every other
// process alone.
func TestScale(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes})
	a.Runs("web.1")
	first := a.Instances()["web.1"]
	out := l.Dokku("ps:scale", a.Name, "web=3", "worker=2")
	a.Runs("web.1", "web.2", "web.3", "worker.1", "worker.2")
	if a.Instances()["web.1"] != first {
		t.Errorf("web.1 was replaced: %s", a.Resources())
	}
	lab.Contains(t, out, "-----> Scaling "+a.Name+" processes: web=3 worker=2", "-----> Starting web.2 web.3 worker.1 worker.2")
	if n := len(a.Upstreams()); n != 3 {
		t.Errorf("nginx has %d upstreams, want 3", n)
	}

	before := a.Instances()
	l.Dokku("ps:scale", a.Name, "worker=1", "web=3")
	a.Runs("web.1", "web.2", "web.3", "worker.1")
	delete(before, "worker.2")
	if !maps.Equal(a.Instances(), before) {
		t.Errorf("ps:scale worker=1 replaces a process: %v, before %v", a.Instances(), before)
	}

	before = a.Instances()
	l.Dokku("ps:scale", a.Name, "web=1")
	if st := a.State(); st.Retiring[before["web.2"]].IsZero() || st.Retiring[before["web.3"]].IsZero() || len(a.Upstreams()) != 1 {
		t.Errorf("web.2 and web.3 should finish what they have: retiring are %v, nginx has %v", st.Retiring, a.Upstreams())
	}
	for args, text := range map[string]string{
		"web":    "Missing count for process type web",
		"web=x":  "Invalid count for process type web",
		"nope=1": "nope is not a valid process name to scale up",
	} {
		if out := l.Refused("ps:scale", a.Name, args); out != " !     "+text+"\n" {
			t.Errorf("ps:scale %s prints %q", args, out)
		}
	}
}

// formation is the output of ps:scale --format json, in one line.
func formation(a *lab.App) string {
	a.Lab.T.Helper()
	var list []struct {
		Type     string `json:"process_type"`
		Quantity int
		Origin   string
	}
	lab.Must(a.Lab.T, json.Unmarshal([]byte(a.Lab.Dokku("ps:scale", a.Name, "--format", "json", "--origin")), &list))
	var words []string
	for _, e := range list {
		words = append(words, fmt.Sprintf("%s=%d %s", e.Type, e.Quantity, e.Origin))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
