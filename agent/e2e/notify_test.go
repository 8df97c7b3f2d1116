package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestNotifications: a push that goes live, one that is rejected, and a process that stays
// down reach an address, through the running agent and with what a reader needs. events
// shows the same.
func TestNotifications(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var e map[string]any
		if err := json.Unmarshal(body, &e); err != nil || !strings.HasPrefix(r.Header.Get("webhook-signature"), "v1,") {
			t.Errorf("%v in %s with %v", err, body, r.Header)
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e)
	}))
	defer server.Close()
	l := lab.New(t, map[string]any{"ps": map[string]string{"restart-policy": "on-failure:2"}})
	l.StartAgent()
	a := l.App(nil)
	l.Dokku("apps:create", a.Name)
	l.Dokku("notify:add", a.Name, server.URL, "--on", "deploy,reject,crash")
	said := func(event string) (found map[string]any) {
		lab.WaitFor(t, "a notification of a "+event, func() bool {
			mu.Lock()
			defer mu.Unlock()
			n := slices.IndexFunc(got, func(e map[string]any) bool { return e["event"] == event })
			if n >= 0 {
				found = got[n]
			}
			return n >= 0
		})
		return found
	}
	a.Push(nil)
	if e := said("deploy"); e["app"] != a.Name || e["release"] != 1.0 || e["revision"] != a.Tip("main") || e["deploy"] != 1.0 || e["by"] == "" || e["url"] == "" {
		t.Errorf("a deploy: %v", e)
	}
	a.Rejected(lab.Files{"Procfile": "web: /server --no-such-flag\n"})
	if e := said("reject"); e["deploy"] != 2.0 || e["error"] == nil || e["revision"] == a.Tip("main") {
		t.Errorf("a rejected push: %v", e)
	}
	lab.Must(t, l.Tools.Docker.ContainerKill(t.Context(), a.Instances()["web.1"], "KILL"))
	if e := said("crash"); e["process"] != "web.1" || !strings.HasPrefix(e["text"].(string), "killed (exit code 137); not restarted") {
		t.Errorf("a crash: %v", e)
	}
	if text := l.Dokku("events", a.Name); !strings.Contains(text, " reject ") || !strings.Contains(text, " crash agent web.1 killed") {
		t.Errorf("events shows\n%s", text)
	}
	if n := l.Dokku("notify:report", a.Name, "--notify-pending"); !strings.HasSuffix(strings.TrimSpace(n), "=0") {
		t.Errorf("pending are %s", n)
	}
}
