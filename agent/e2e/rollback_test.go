package e2e

import (
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/agent/e2e/load"
)

// TestRollback: a rollback loses no request, nobody sees the newer version after it, and
// what people and git read says that main is elsewhere. A release that fails its checks
// changes nothing.
func TestRollback(t *testing.T) {
	t.Parallel()
	l := lab.New(t, map[string]any{"checks": map[string]string{"default-wait": "1", "wait-to-retire": "2"}})
	l.StartAgent()
	a := l.Deployed(lab.Files{"version": "1\n"})
	one := a.Tip("main")
	l.Dokku("config:set", a.Name, "GREETING=hello")
	a.Push(lab.Files{"version": "2\n"})
	two := a.Tip("main")
	a.Serves(two)

	traffic, versions := load.Ask(a, "/", 50), load.Watch(a)
	var out string
	versions.Back(one, func() { out = l.Dokku("releases:rollback", a.Name, "2") })
	a.Rests()
	a.Serves(one)
	traffic.Check(versions.Stop())
	lab.Contains(t, out, "-----> Rolling back "+a.Name+" from v3 to v2 ("+one[:7], "       code "+two[:7]+" to "+one[:7]+"\n",
		"=====> Application deployed in ", "main stays at "+two[:7]+", and v4 serves "+one[:7])
	lab.Lacks(t, out, "Building", "GREETING")
	if tip := a.Tip("main"); tip != two {
		t.Errorf("main is at %s, want %s", tip, two)
	}
	if got := l.Dokku("ps:report", a.Name, "--rolled-back-from"); got != two+"\n" {
		t.Errorf("ps:report says %q", got)
	}
	lab.Contains(t, l.Dokku("releases", a.Name), "rollback to v2", "  current\n", "main is at "+two[:7]+", which was rolled back")
	lab.Contains(t, a.Push(nil), "main is at "+two[:7]+", which was rolled back; to deploy it again: ")

	out = a.Push(lab.Files{"version": "3\n"})
	lab.Contains(t, out, "v4 ("+one[:7]+") serves since a rollback from "+two[:7]+": this push ends that")
	if got := strings.TrimSpace(l.Dokku("ps:report", a.Name, "--rolled-back-from")); got != "" {
		t.Errorf("after a push, ps:report says %q", got)
	}
	a.Serves(a.Tip("main"))
}
