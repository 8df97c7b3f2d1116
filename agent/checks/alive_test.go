package checks

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/event"
)

// TestCountDown: the rest of a wait is printed after 5 s, and then every 10 s.
func TestCountDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planFor(t, "", "worker")
		plan.Checks["worker"][0].Uptime = 30 * time.Second
		out, _, err := outcome(t, plan, &host{}, target("worker.1"))
		want := "-----> Running pre-flight checks: default, for worker\n       worker.1: 30s left to stay up\n" +
			"       worker.1: 25s left to stay up\n       worker.1: 15s left to stay up\n       worker.1: 5s left to stay up\n" +
			"       worker.1 up for 30s\n-----> All checks successful!"
		if err != nil || out != want {
			t.Errorf("%v:\n%s", err, out)
		}
	})
}

// TestGateShowsLife: a long attempt is no silence.
func TestGateShowsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := planFor(t, "WAIT=60\nATTEMPTS=1\n/ ok", "web")
		plan.Dial = (&pipes{from: time.Now().Add(30 * time.Second), h: says("ok")}).dial
		var out bytes.Buffer
		term := event.NewTerminal(&out, &out, false)
		err := Gate(t.Context(), plan, []Target{target("web.1"), target("web.2")}, &host{}, event.New(term))
		term.Close()
		want := "-----> Attempt 1/1 ...\n       still checking web.1 web.2 6.0s\n       still checking web.1 web.2 21.0s\n"
		if err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%v:\n%s", err, out.String())
		}
	})
}
