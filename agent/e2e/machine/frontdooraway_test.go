package machine

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/frontdoor"
	"dokku/build"
)

// TestFrontDoorAway: a front door that does not answer rejects a push to an app on a swarm before
// its build. One that may be left out does so for that time alone; when it is back, it gets what
// it lacks within seconds, and meanwhile no deploy takes it for up to date.
func TestFrontDoorAway(t *testing.T) {
	m, h := newSwarm(t)
	synctest.Test(t, func(t *testing.T) {
		g := guard(t, &guarded{machine: m, swarm: true})
		first := g.served()
		g.door.Down(true)
		builds := 0
		real := g.server.Env.Build
		g.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
			builds++
			return real(ctx, r)
		}
		refuses(t, g.push(h.one, h.two), "front door two (two.test): connection refused", "dokku front-door:disable two")
		if builds > 0 {
			t.Error("the revision was built")
		}

		refuses(t, frontdoor.LeaveOut(t.Context(), g.server, "two", 10), "30 to 86400 seconds")
		check(t, frontdoor.LeaveOut(t.Context(), g.server, "two", 60))
		stop := g.runAgent(t)
		pass(50 * time.Second)
		refuses(t, g.push(h.one, h.two), "front door two (two.test): connection refused")
		pass(50 * time.Second)
		check(t, g.push(h.one, h.two))
		set, err := g.server.Settings()
		check(t, err)
		if st := frontdoor.States(t.Context(), g.server, set, frontdoor.OfRoutes)[0]; !st.LeftOut || !strings.Contains(st.Judge("")[0].Text, "deploys go on without it") {
			t.Errorf("it is %+v", st)
		}
		pass(5 * time.Minute) // the old processes are gone
		check(t, g.atRest())

		g.door.Down(false)
		if g.served() != first {
			t.Error("it serves another release while it is away")
		}
		pass(10 * time.Second)
		if now := g.served(); now <= first {
			t.Errorf("10 s after it is back it serves v%d", now)
		}
		g.door.Down(true)
		refuses(t, g.push(h.two, h.one), "front door two (two.test): connection refused")
		g.door.Down(false)
		check(t, g.push(h.two, h.one))
		stop()
		g.settle()
		check(t, g.atRest())
	})
}
