package machine

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// TestSkipChecks: -o skip-checks leaves out CHECKS and healthchecks, and the release says so. Web still has to listen, nothing may end, and what
// comes later is checked again.
func TestSkipChecks(t *testing.T) {
	f := newFresh(t, false)
	files := map[string]string{"Dockerfile": "FROM scratch\n", "Procfile": "web: serve\nworker: work\n",
		"DOKKU_SCALE": "web=1\nworker=1\n", "CHECKS": "ATTEMPTS=1\nWAIT=0\n/ no\n",
		"app.json": `{"healthchecks": {"worker": [{"type": "startup", "command": ["false"], "attempts": 1}]}}`}
	if out, err := f.push(files); err == nil {
		t.Fatalf("the checks pass:\n%s", out)
	}
	const warning = "Skipping CHECKS and healthchecks, as -o skip-checks asks: web only has to listen on its port, and nothing may end"
	f.with.SkipChecks = true
	if out := f.pushed(nil); strings.Count(out, warning) != 1 {
		t.Errorf("it prints\n%s", out)
	}
	if r := f.app().Current; !r.ChecksSkipped || !r.Summary().ChecksSkipped {
		t.Errorf("the release: %+v", r)
	}

	f.m.server.Env.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	f.setChecks("require-listening", "false") // has no meaning where nothing else proves that web serves
	if out, err := f.push(nil); err == nil || !strings.Contains(out, "does not accept connections on port 8080") {
		t.Errorf("web does not listen: %v\n%s", err, out)
	}
	f.setChecks("require-listening", "")
	f.m.server.Env.Dial = dialNothing
	f.fail = "work"
	if out, err := f.push(nil); err == nil || !strings.Contains(out, "worker.1") {
		t.Errorf("worker ends: %v\n%s", err, out)
	}
	f.fail = ""

	if err := f.m.server.Restart(t.Context(), "fresh", event.Log{}); err == nil {
		t.Error("ps:restart skips the checks too")
	}
	f.with.SkipChecks = false
	if out, err := f.push(nil); err == nil || strings.Contains(out, "skip") {
		t.Errorf("the next push skips the checks too: %v\n%s", err, out)
	}
}

// TestPushMessage: -o message is kept with the release and the deploy it belongs to.
func TestPushMessage(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	m.must(m.pushWith(ctx, "shop", h.one, h.two, deploy.PushOptions{Message: "Fix the login"}, event.Log{}))
	if d, r := m.lastDeploy(), m.current(); d.Message != "Fix the login" || r.Message != d.Message || r.Summary().Message != d.Message || r.Deploy != d.Number {
		t.Errorf("deploy %+v, release %+v", d, r)
	}
	m.must(m.server.Restart(ctx, "shop", event.Log{}))
	if r := m.current(); r.Message != "" || r.Deploy != 0 {
		t.Errorf("ps:restart takes the message: %+v", r)
	}

	m.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: s.Release > 3, Code: 1} })
	if m.pushWith(ctx, "shop", h.two, h.one, deploy.PushOptions{Message: "Try"}, event.Log{}) == nil {
		t.Fatal("it is accepted")
	}
	if d := m.lastDeploy(); d.Message != "Try" || d.Release != 0 {
		t.Errorf("a rejected deploy: %+v", d)
	}
}
