package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dokku/agent/engine"
)

// TestCrowdedRetire: with DOKKU_WAIT_TO_RETIRE=86400 in its app.json, each push left the
// processes before it for a day. Above a number, the oldest get no more than the default.
func TestCrowdedRetire(t *testing.T) {
	w := observation(5, upstreams(5), running("c5", "shop.web.1", 5, 5))
	d := want(5, "web.1")
	d.Retiring = map[string]time.Time{}
	for v := 1; v <= 4; v++ {
		id := fmt.Sprint("c", v)
		w.Instances = append(w.Instances, running(id, fmt.Sprint("old", v), v, v))
		d.Retiring[id] = testNow.Add(24 * time.Hour)
	}
	d.Retiring["c4"] = time.Time{} // its wait begins
	expect := func(when string, want string) {
		t.Helper()
		var got []string
		for _, s := range Plan(d, w) {
			if s.Action == ActDeadline {
				got = append(got, fmt.Sprint(s, " ", s.Short))
			}
		}
		if strings.Join(got, "\n") != want {
			t.Errorf("%s: got %q, want %q", when, got, want)
		}
	}
	expect("without a limit", "deadline c4 false")
	d.MostRetiring = 4
	expect("as many as may", "deadline c4 false")
	d.MostRetiring = 2
	expect("too many", "deadline c4 false\ndeadline c1 c2: too many retire true")
	d.Retiring["c4"], d.Retiring["c1"], d.Retiring["c2"] = testNow.Add(time.Hour), testNow.Add(ShortRetire), testNow
	expect("once they have been told", "")
	w.Instances[1].Status = engine.StatusExited
	d.Retiring["c1"] = testNow.Add(time.Hour)
	expect("one has ended by itself", "")
}
