package machine

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/certs/acme"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/notify"
	"dokku/agent/watch"
)

// events returns the recorded events of some kinds; none: of all.
func (m *machine) events(t *testing.T, kinds ...journal.Kind) []journal.Event {
	t.Helper()
	list, tail, err := m.server.Env.Store.Journal().Read(10_000, func(e journal.Event) bool { return len(kinds) == 0 || slices.Contains(kinds, e.Event) })
	check(t, err)
	tail.Close()
	return list
}

// eventTexts are the events of some kinds, as people read them.
func (m *machine) eventTexts(t *testing.T, kinds ...journal.Kind) (texts []string) {
	t.Helper()
	for _, e := range m.events(t, kinds...) {
		texts = append(texts, strings.Join(strings.Fields(e.App+" "+string(e.Event)+" "+e.Describe()), " "))
	}
	return texts
}

// hook makes the app notify an address of all topics.
func (m *machine) hook(t *testing.T, address string) app.Hook {
	t.Helper()
	h, err := app.NewHook(address, app.HookTopics, "", "a secret of sixteen", "admin")
	check(t, err)
	h.Private = true
	m.next(func(st *app.State) { st.Hooks = []app.Hook{h} })
	return h
}

// TestDeployEvents: deploys, rejections and an interrupted push are events, which say who,
// what and why, and a hook gets them with a signature.
func TestDeployEvents(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h) // deploy 1, v1
	first := m.events(t, journal.Deploy)
	if len(first) != 1 || first[0].App != "shop" || first[0].Release != 1 || first[0].Revision != h.one || first[0].Deploy != 1 ||
		first[0].Subject == "" || first[0].Host != app.HostName() || !strings.HasPrefix(first[0].URL, "http://") {
		t.Errorf("the first deploy: %+v", first)
	}
	hook := m.hook(t, "http://127.0.0.1:1")
	m.server.Env.By = "ann"

	m.engine.Behave(func(s engine.Spec) memory.Behaviour { return memory.Behaviour{Exits: s.Release > 1, Code: 3} })
	if m.push(h.one, h.two) == nil {
		t.Fatal("the push is accepted")
	}
	m.engine.Behave(behaviour)
	rejected := m.events(t, journal.Reject)
	if len(rejected) != 1 || rejected[0].By != "ann" || rejected[0].Revision != h.two || rejected[0].Deploy != 2 || rejected[0].Release != 0 ||
		rejected[0].Subject == "" || rejected[0].Error != "the predeploy command failed with exit code 3: prepare" {
		t.Errorf("a rejected deploy: %+v", rejected)
	}
	if m.push(h.two, h.two) == nil { // refused before it has a log
		t.Fatal("a push with a wrong old value is accepted")
	}
	check(t, m.server.SetLocked(t.Context(), "shop", true, event.Log{}))
	if m.push(h.one, h.two) == nil {
		t.Fatal("a locked app is deployed")
	}
	check(t, m.server.SetLocked(t.Context(), "shop", false, event.Log{}))
	texts := m.eventTexts(t, journal.Reject)
	if len(texts) != 3 || !strings.HasSuffix(texts[1], "main moved while this push waited; fetch and push again") || !strings.Contains(texts[2], "deploy lock") {
		t.Errorf("rejected were %q", texts)
	}

	check(t, m.push(h.one, h.two))
	check(t, m.server.Rollback(t.Context(), "shop", 0, false, event.Log{}))
	deployed := m.events(t, journal.Deploy)[1:]
	if len(deployed) != 2 || deployed[0].Release != 2 || deployed[0].Text != "" || deployed[1].Text != "releases:rollback" || deployed[1].Revision != h.one {
		t.Errorf("deployed were %+v", deployed)
	}
	queued, err := notify.Queue{Dir: m.server.Env.Store.Notifications()}.Pending(hook.ID)
	check(t, err)
	var kinds []string
	for _, n := range queued {
		kinds = append(kinds, string(n.Event.Event))
	}
	if got := strings.Join(kinds, " "); got != "reject reject reject deploy deploy" {
		t.Errorf("the hook gets %s", got)
	}
}

// TestEventsOff: without a record, hooks are notified all the same, and nothing fails
// where an event cannot be written.
func TestEventsOff(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	hook := m.hook(t, "http://127.0.0.1:1")
	m.next(func(st *app.State) { st.NoEvents = true })
	check(t, m.server.Rebuild(t.Context(), "shop", event.Log{}))
	queued, err := notify.Queue{Dir: m.server.Env.Store.Notifications()}.Pending(hook.ID)
	if check(t, err); len(queued) != 1 || len(m.events(t, journal.Deploy)) != 1 {
		t.Errorf("%d are queued, and the events are %+v", len(queued), m.events(t, journal.Deploy))
	}
	m.next(func(st *app.State) { st.NoEvents = false })
	for _, dir := range []string{"notify", "log"} {
		check(t, os.RemoveAll(m.root+"/.dokku/"+dir))
		put(t, m.root+"/.dokku/"+dir, "in the way")
	}
	check(t, m.server.Rebuild(t.Context(), "shop", event.Log{}))
}

// TestNotified: the agent's deliverer posts what is queued; the signature is that of
// https://www.standardwebhooks.com, computed here by hand.
func TestNotified(t *testing.T) {
	var mu sync.Mutex
	var headers []http.Header
	var bodies [][]byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		headers, bodies = append(headers, r.Header), append(bodies, body)
	}))
	defer server.Close()
	h := newHistory(t)
	m := newMachine(t, h)
	m.hook(t, server.URL)
	check(t, m.push(h.one, h.two))
	d := watch.NewDeliverer(m.server, event.Log{})
	check(t, d.Look(t.Context()))
	d.Wait()
	if len(bodies) != 1 {
		t.Fatalf("%d requests", len(bodies))
	}
	mac := hmac.New(sha256.New, []byte("a secret of sixteen"))
	mac.Write([]byte(headers[0].Get("webhook-id") + "." + headers[0].Get("webhook-timestamp") + "." + string(bodies[0])))
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); headers[0].Get("webhook-signature") != want {
		t.Errorf("the signature is %s, want %s", headers[0].Get("webhook-signature"), want)
	}
	var e map[string]any
	check(t, json.Unmarshal(bodies[0], &e))
	if e["event"] != "deploy" || e["app"] != "shop" || e["release"] != 2.0 || e["revision"] != h.two || e["deploy"] != 2.0 || e["host"] != app.HostName() {
		t.Errorf("the body is %s", bodies[0])
	}
	if s := d.Queue.State(m.view(t).State.Hooks[0].ID); s.Status != 200 || s.Error != "" {
		t.Errorf("the state is %+v", s)
	}
}

func (m *machine) view(t *testing.T) app.View {
	t.Helper()
	v, err := m.server.View("shop")
	check(t, err)
	return v
}

// TestCrashEvents: a process that ends once and goes on is no crash. One that ends again, or
// stays down, is one, told once until it has run for five minutes. The agent remembers that
// when it is restarted.
func TestCrashEvents(t *testing.T) {
	m := newMachine(t, newHistory(t))
	told := func(t *testing.T, want ...string) {
		t.Helper()
		if got := m.eventTexts(t, journal.Crash, journal.Recover); !slices.Equal(got, want) {
			t.Errorf("told was %q, want %q", got, want)
		}
	}
	const crash, well = "shop crash web.1 exited with 3, restarted (3 of 9)", "shop recover web.1 runs again"
	check(t, m.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
		set.PS = map[string]string{"restart-policy": "on-failure:9"}
		return nil
	}))
	synctest.Test(t, func(t *testing.T) {
		check(t, m.server.Restart(t.Context(), "shop", event.Log{}))
		stop := m.runAgent(t)
		m.engine.Exit("shop.web.1", 3)
		pass(11 * time.Minute)
		m.engine.Exit("shop.web.1", 3) // long after the first one
		pass(time.Minute)
		told(t)
		m.engine.Exit("shop.web.1", 3)
		pass(time.Second)
		m.engine.Exit("shop.web.1", 3)
		pass(time.Minute)
		told(t, crash)
		if ends := m.eventTexts(t, journal.Exit); len(ends) != 4 || ends[0] != "shop exit web.1 exited with 3, restarted (1 of 9)" {
			t.Errorf("the ends are %q", ends)
		}
		stop()
		stop = m.runAgent(t)
		m.engine.Exit("shop.web.1", 3)
		pass(4 * time.Minute)
		told(t, crash)
		pass(2 * time.Minute)
		told(t, crash, well)
		m.engine.Exit("shop.worker.1", 0) // stays down
		pass(10 * time.Minute)
		check(t, m.server.Scale(t.Context(), "shop", map[string]int{"worker": 0}, false, event.Log{}))
		pass(10 * time.Minute)
		told(t, crash, well, "shop crash worker.1 exited with 0; not restarted (restart policy on-failure:9): dokku ps:restart shop starts it again")
		stop()
	})
}

// runAgent runs the agent in a bubble until stop is called.
func (m *machine) runAgent(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- watch.Run(ctx, m.server, event.Log{}) }()
	pass(5 * time.Second)
	return func() {
		cancel()
		check(t, <-ended)
	}
}

// TestAgentEvents: what the agent does by itself is one event a kind, and what a command
// does is none of the agent's.
func TestAgentEvents(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	before := len(m.events(t))
	check(t, m.server.Scale(t.Context(), "shop", map[string]int{"web": 1}, false, event.Log{}))
	if list := m.eventTexts(t)[before:]; len(list) != 0 {
		t.Errorf("a command of a person left %q", list)
	}
	i, err := m.engine.Instance(t.Context(), "shop.web.1")
	check(t, err)
	check(t, m.engine.Remove(t.Context(), engine.Resource{Kind: engine.Container, ID: i.ID}))
	m.settle()
	if got := m.eventTexts(t, journal.Mend); len(got) != 1 || got[0] != "shop mend started web.1 (it is missing)" {
		t.Errorf("mended was %q", got)
	}

	m.visit = func(name string) error {
		if name == "move the ref" {
			return errDead
		}
		return nil
	}
	if m.push(h.one, h.two) == nil {
		t.Fatal("the push is accepted")
	}
	m.visit = nil
	m.settle()
	if got := m.eventTexts(t, journal.Undo); len(got) != 1 || !strings.HasSuffix(got[0], "its push was interrupted before git accepted it (deploy 2)") {
		t.Errorf("undone was %q", got)
	}
}

// TestRenewEvents: a certificate that is ordered, and one that cannot be, are events. A
// failure that goes on is told once a day.
func TestRenewEvents(t *testing.T) {
	m := newMachine(t, newHistory(t))
	ca := m.withCA(t, "a.com", "b.com")
	ca.fails["b.com"] = acme.Problem{Type: "dns", Detail: "NXDOMAIN looking up A for b.com"}
	for range 3 {
		m.enable(t.Context())
	}
	got := m.eventTexts(t, journal.Renew)
	failed := func(text string) bool {
		return text == "shop renew the certificate for b.com could not be ordered: NXDOMAIN looking up A for b.com"
	}
	if len(got) != 2 || !slices.ContainsFunc(got, failed) || !strings.HasPrefix(got[1], "shop renew certificate for a.com until 20") {
		t.Errorf("told was %q", got)
	}
}
