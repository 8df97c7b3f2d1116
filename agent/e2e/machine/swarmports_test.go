package machine

import (
	"bytes"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"dokku/agent/engine"
	"dokku/agent/event"
)

// TestPortsTaken: a push starts processes again whose ports other programs of their nodes have, twice
// at most.
func TestPortsTaken(t *testing.T) {
	for taken, accepted := range map[int64]bool{2: true, 3: false} {
		t.Run(fmt.Sprint(taken), func(t *testing.T) {
			m, h := newSwarm(t)
			var asked atomic.Int64
			m.engine.Fail(func(call string, args ...any) error {
				if s, ok := first(args).(engine.Spec); ok && call == "Start" && s.Placement != nil && s.Type == "web" && s.Index == 1 && asked.Add(1) <= taken {
					return fmt.Errorf("it is on node2, where the node service does not serve it: %w", engine.ErrPortTaken)
				}
				return nil
			})
			var out bytes.Buffer
			err := m.pushLogged(h.one, h.two, event.New(zerolog.SyncWriter(&out)))
			if (err == nil) != accepted {
				t.Fatalf("the push: %v", err)
			}
			if n := strings.Count(out.String(), "Starting web.1 web.2 web.3 worker.1 again, at other ports: it is on node2"); n != 2 {
				t.Errorf("it says %d times that it starts them again: %s", n, out.String())
			}
			if accepted {
				m.settle()
				m.spread("web", 3)
			}
		})
	}
}
