package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/journal"
	"dokku/agent/store"
)

// A receiver is a hook's server. Its answers are a status each; the last one stays.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	answers []int
	header  http.Header // of the answers
	got     []http.Header
	bodies  []string
}

func receive(t *testing.T, answers ...int) *receiver {
	r := &receiver{answers: answers, header: http.Header{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.got, r.bodies = append(r.got, q.Header), append(r.bodies, string(body))
		for name := range r.header {
			w.Header().Set(name, r.header.Get(name))
		}
		status := r.answers[0]
		if len(r.answers) > 1 {
			r.answers = r.answers[1:]
		}
		w.WriteHeader(status)
		fmt.Fprint(w, "said\x1b[31m so\n")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.bodies)
}

// A post is a server with hooks, and a clock.
type post struct {
	*Deliverer
	t     *testing.T
	clock time.Time
	told  []journal.Event
}

func newPost(t *testing.T, hooks ...app.Hook) *post {
	s := &store.Store{Root: t.TempDir()}
	if err := os.MkdirAll(s.Own("locks"), 0o700); err != nil {
		t.Fatal(err)
	}
	p := &post{t: t, clock: time.Date(2026, 7, 3, 16, 0, 0, 0, time.UTC)}
	p.Deliverer = &Deliverer{Store: s, Queue: Queue{s.Notifications()}, Now: func() time.Time { return p.clock },
		Tell: func(e journal.Event) { p.told = append(p.told, e) }}
	p.set(hooks...)
	return p
}

func (p *post) set(hooks ...app.Hook) {
	p.t.Helper()
	if err := p.Store.UpdateSettings(p.t.Context(), func(set *app.Settings) error { set.Hooks = hooks; return nil }); err != nil {
		p.t.Fatal(err)
	}
}

func (p *post) add(h app.Hook, text string) {
	p.t.Helper()
	if _, err := p.Queue.Add(h, "", journal.Event{Event: journal.Deploy, Time: p.clock, App: "shop", Text: text}); err != nil {
		p.t.Fatal(err)
	}
}

// look delivers what is due after a time.
func (p *post) look(after time.Duration) {
	p.t.Helper()
	p.clock = p.clock.Add(after)
	if err := p.Look(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	p.Wait()
}

func (p *post) pending(h app.Hook) int {
	p.t.Helper()
	list, err := p.Queue.Pending(h.ID)
	if err != nil {
		p.t.Fatal(err)
	}
	return len(list)
}

// hookTo is a hook that somebody on the server itself added.
func hookTo(t *testing.T, address, format string) app.Hook {
	t.Helper()
	h, err := app.NewHook(address, []string{"deploy"}, format, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "admin")
	if err != nil {
		t.Fatal(err)
	}
	h.Private = true
	return h
}

// TestSign has the example of the specification's libraries (standard-webhooks,
// libraries/javascript/src/index.test.ts), whose signature was made by others.
func TestSign(t *testing.T) {
	got, err := Sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
		"webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="} {
		if got[name] != want {
			t.Errorf("%s is %s, want %s", name, got[name], want)
		}
	}
}

// TestDeliver: a notification arrives once, signed, in the format of its hook, and the
// state says so.
func TestDeliver(t *testing.T) {
	r := receive(t, 204)
	plain, slack := hookTo(t, r.URL+"/plain", "json"), hookTo(t, r.URL+"/slack", "slack")
	p := newPost(t, plain, slack)
	e := journal.Event{Event: journal.Deploy, Time: p.clock, Host: "box", App: "shop", Release: 12, Revision: "3f2c1d9aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		Subject: "<!channel> & co", By: "ci", Deploy: 17, URL: "http://shop.example.com"}
	for _, h := range []app.Hook{plain, slack} {
		if _, err := p.Queue.Add(h, "", e); err != nil {
			t.Fatal(err)
		}
	}
	p.look(time.Minute)
	p.look(48 * time.Hour)
	if r.count() != 2 {
		t.Fatalf("%d requests", r.count())
	}
	slices.SortFunc(r.bodies, func(a, b string) int { return len(a) - len(b) })
	for n, want := range []string{
		`{"text":"shop: deployed v12 3f2c1d9 \u0026lt;!channel\u0026gt; \u0026amp; co (deploy 17) by ci - http://shop.example.com"}`,
		`{"event":"deploy","time":"2026-07-03T16:00:00Z","host":"box","app":"shop","release":12,"revision":"3f2c1d9aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",` +
			`"subject":"\u003c!channel\u003e \u0026 co","by":"ci","deploy":17,"url":"http://shop.example.com"}`,
	} {
		if r.bodies[n] != want {
			t.Errorf("got\n%s, want\n%s", r.bodies[n], want)
		}
	}
	h := r.got[0]
	if !strings.HasPrefix(h.Get("webhook-id"), "msg_") || h.Get("webhook-timestamp") != "1783094460" ||
		!strings.HasPrefix(h.Get("webhook-signature"), "v1,") || h.Get("Content-Type") != "application/json" {
		t.Errorf("the headers are %v", h)
	}
	if s := p.Queue.State(plain.ID); s.Status != 204 || s.Error != "" || !s.Delivered.Equal(time.Date(2026, 7, 3, 16, 1, 0, 0, time.UTC)) {
		t.Errorf("the state is %+v", s)
	}
}

// TestRetries: a hook that fails is tried again after growing pauses, by the clock, also by
// an agent that was restarted, with the same id and another signature. After a day the
// notification is given up.
func TestRetries(t *testing.T) {
	r := receive(t, 500)
	h := hookTo(t, r.URL, "json")
	p := newPost(t, h)
	p.add(h, "one")
	p.look(0)
	p.look(3 * time.Second) // 5 s, less a fifth at most
	if r.count() != 1 {
		t.Fatalf("%d requests after 3 s", r.count())
	}
	p.Deliverer = &Deliverer{Store: p.Store, Queue: p.Queue, Now: p.Now, Tell: p.Tell}
	p.look(4 * time.Second)
	if r.count() != 2 || r.got[0].Get("webhook-id") != r.got[1].Get("webhook-id") || r.got[0].Get("webhook-signature") == r.got[1].Get("webhook-signature") {
		t.Fatalf("%d requests after 7 s: %v", r.count(), r.got)
	}
	if s := p.Queue.State(h.ID); s.Status != 500 || s.Error != "it answers 500 Internal Server Error: said so" || p.pending(h) != 1 {
		t.Errorf("the state is %+v", s)
	}
	for range 24 * 60 {
		p.look(time.Minute)
	}
	// 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, then every 4 h.
	if n := r.count(); n < 9 || n > 14 {
		t.Errorf("%d requests in a day", n)
	}
	if p.pending(h) != 0 || p.Queue.State(h.ID).Dropped != 1 || len(p.told) != 1 || p.told[0].Event != journal.Notify ||
		p.told[0].Text != "the notification of a deploy to "+h.Shown()+" was given up" {
		t.Errorf("%d are pending, the state is %+v, told was %+v", p.pending(h), p.Queue.State(h.ID), p.told)
	}
}

// TestHookAnswers: a hook can ask for a pause, be gone, or redirect.
func TestHookAnswers(t *testing.T) {
	r := receive(t, 429, 200)
	r.header.Set("Retry-After", "600")
	h := hookTo(t, r.URL, "json")
	p := newPost(t, h)
	p.add(h, "one")
	p.look(0)
	p.look(9 * time.Minute)
	if r.count() != 1 {
		t.Errorf("%d requests before the pause has ended", r.count())
	}
	p.look(time.Minute)
	if r.count() != 2 || p.pending(h) != 0 {
		t.Errorf("%d requests, %d pending", r.count(), p.pending(h))
	}

	r.answers = []int{410}
	p.add(h, "two")
	p.look(0)
	if p.pending(h) != 0 || p.Queue.State(h.ID).Dropped != 1 {
		t.Errorf("a hook that is gone: %+v", p.Queue.State(h.ID))
	}

	r.answers = []int{302}
	r.header = http.Header{"Location": {r.URL + "/other"}}
	p.add(h, "three")
	before := r.count()
	p.look(0)
	if want := "it answers 302 Found, and redirects are not followed: add the address that it redirects to"; r.count() != before+1 || p.Queue.State(h.ID).Error != want {
		t.Errorf("a redirect: %+v", p.Queue.State(h.ID))
	}
}

// TestSlowHook: a hook that does not answer keeps no other one waiting, and a notification
// that a hook never takes keeps none of its own waiting.
func TestSlowHook(t *testing.T) {
	block := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-block }))
	defer slow.Close()
	defer close(block)
	r := receive(t, 400, 200)
	bad, good := hookTo(t, slow.URL, "json"), hookTo(t, r.URL, "json")
	p := newPost(t, bad, good)
	ctx, cancel := context.WithCancel(t.Context())
	p.add(bad, "slow")
	if err := p.Look(ctx); err != nil {
		t.Fatal(err)
	}
	p.add(good, "poison")
	if err := p.Look(ctx); err != nil {
		t.Fatal(err)
	}
	for p.pending(good) != 1 || r.count() != 1 {
		if t.Context().Err() != nil {
			t.Fatal("the first one is not tried")
		}
	}
	p.add(good, "fresh")
	for r.count() < 2 {
		if err := p.Look(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(r.bodies[1], "fresh") {
		t.Errorf("second came %s", r.bodies[1])
	}
	cancel() // the agent ends: the attempt does not count
	p.Wait()
	if list, err := p.Queue.Pending(bad.ID); err != nil || len(list) != 1 || list[0].Attempts != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestBounded: a queue keeps the newest notifications.
func TestBounded(t *testing.T) {
	h := hookTo(t, "http://127.0.0.1:1", "json")
	p := newPost(t, h)
	for n := range MaxPending {
		p.add(h, fmt.Sprint(n))
		p.clock = p.clock.Add(time.Second)
	}
	dropped, err := p.Queue.Add(h, "", journal.Event{Event: journal.Deploy, Time: p.clock, Text: "last"})
	list, lerr := p.Queue.Pending(h.ID)
	if err != nil || lerr != nil || dropped != 1 || len(list) != MaxPending || list[0].Event.Text != "1" || list[MaxPending-1].Event.Text != "last" {
		t.Errorf("%d were dropped, %d are left, %v, %v", dropped, len(list), err, lerr)
	}
}

// TestRemoved: what waits for a hook that was removed is never sent, and leaves nothing.
// Files that killed processes or a loss of power left are removed too.
func TestRemoved(t *testing.T) {
	r := receive(t, 200)
	h := hookTo(t, r.URL, "json")
	p := newPost(t, h)
	p.add(h, "one")
	p.set()
	p.look(0)
	if left, err := p.Queue.Hooks(); r.count() != 0 || err != nil || len(left) != 0 {
		t.Errorf("%d requests, left is %v, %v", r.count(), left, err)
	}
	p.set(h)
	p.add(h, "two")
	folder := filepath.Join(p.Queue.Dir, h.ID)
	for name, age := range map[string]time.Duration{"x.notice.newY": 2 * time.Hour, "x.notice.newZ": 0, "0-torn.notice": 0} {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(`{"id":"ms`), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, p.clock.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Sweep(); err != nil {
		t.Fatal(err)
	}
	p.look(0)
	if found, err := filepath.Glob(filepath.Join(folder, "*.n*")); err != nil || len(found) != 1 || !strings.HasSuffix(found[0], "newZ") || r.count() != 1 {
		t.Errorf("left are %v, %v after %d requests", found, err, r.count())
	}
	p.set()
	if err := os.Chtimes(folder, time.Time{}, p.clock.Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := p.Sweep(); err != nil {
		t.Fatal(err)
	}
	if left, err := p.Queue.Hooks(); err != nil || len(left) != 0 {
		t.Errorf("left is %v, %v", left, err)
	}
}

// TestPrivateAddress: a hook that was added over ssh reaches nothing on this server, unless
// server.json allows it, and an error has no part of the path.
func TestPrivateAddress(t *testing.T) {
	r := receive(t, 200)
	h := hookTo(t, strings.Replace(r.URL, "127.0.0.1", "localhost", 1)+"/secret", "json")
	h.Private = false
	p := newPost(t, h)
	p.add(h, "one")
	p.look(0)
	got := p.Queue.State(h.ID).Error
	if want := " is not one of the public internet: add it on the server itself, or set \"private_hooks\": true in .dokku/server.json"; r.count() != 0 ||
		!strings.HasSuffix(got, want) || strings.Contains(got, "secret\"") || strings.Contains(got, "/secret") {
		t.Errorf("%d requests, %s", r.count(), got)
	}
	if err := p.Store.UpdateSettings(t.Context(), func(set *app.Settings) error { set.PrivateHooks = true; return nil }); err != nil {
		t.Fatal(err)
	}
	p.look(time.Minute)
	if r.count() != 1 {
		t.Errorf("%d requests: %s", r.count(), p.Queue.State(h.ID).Error)
	}
}

// TestRenamed: a notification of an app that was renamed meanwhile still finds its hook.
func TestRenamed(t *testing.T) {
	r := receive(t, 200)
	h := hookTo(t, r.URL, "json")
	p := newPost(t)
	state, err := json.Marshal(app.State{Version: 1, Hooks: []app.Hook{h}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(p.Store.File("store"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Store.File("store", "state.json"), state, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Queue.Add(h, "shop", journal.Event{Event: journal.Crash, Time: p.clock, App: "shop"}); err != nil {
		t.Fatal(err)
	}
	p.look(0)
	if r.count() != 1 {
		t.Errorf("%d requests", r.count())
	}
	os.RemoveAll(p.Store.Dir("store"))
	if _, err := p.Queue.Add(h, "store", journal.Event{Event: journal.Crash, Time: p.clock, App: "store"}); err != nil {
		t.Fatal(err)
	}
	p.look(0)
	if left, err := p.Queue.Hooks(); r.count() != 1 || err != nil || len(left) != 0 {
		t.Errorf("a destroyed app: %d requests, left is %v, %v", r.count(), left, err)
	}
}

// TestTook: a test that a hook takes ends the complaint about it. A hook that was never used
// stays without a record, and one that was removed does not come back.
func TestTook(t *testing.T) {
	q := Queue{Dir: t.TempDir()}
	now := time.Now()
	if err := q.Took("unused", 200, now); err != nil {
		t.Fatal(err)
	}
	if ids, err := q.Hooks(); len(ids) != 0 || err != nil {
		t.Errorf("it records %q, %v", ids, err)
	}
	if _, err := q.Add(app.Hook{ID: "used"}, "shop", journal.Event{Time: now}); err != nil {
		t.Fatal(err)
	}
	if err := q.note("used", func(s *State) { s.Error, s.Status, s.Dropped = "it answers 500", 500, 2 }); err != nil {
		t.Fatal(err)
	}
	if err := q.Took("used", 204, now); err != nil {
		t.Fatal(err)
	}
	if s := q.State("used"); s.Error != "" || s.Status != 204 || s.Dropped != 2 || !s.Delivered.Equal(now) {
		t.Errorf("the record is %+v", s)
	}
}
