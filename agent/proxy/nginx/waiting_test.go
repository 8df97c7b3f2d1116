package nginx

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"dokku/agent/disk"
	"dokku/agent/proxy"
)

// holding returns a proxy whose lock the test holds, as another process would, and a call
// of Publish that waits.
func holding(t *testing.T) (n *Proxy, lock *os.File, cancel func(), result <-chan error) {
	t.Helper()
	dir := t.TempDir()
	n = New(lossConfig(dir, fakeNginx(t, dir)))
	if err := n.Publish(t.Context(), lossRoute("first", 1)); err != nil {
		t.Fatal(err)
	}
	lock, err := n.openLock()
	if err != nil {
		t.Fatal(err)
	}
	if err := disk.WaitLock(t.Context(), lock, disk.Exclusive); err != nil {
		t.Fatal(err)
	}
	ctx, cancelled := context.WithCancel(t.Context())
	watched := &watchedContext{Context: ctx, noticed: make(chan struct{})}
	cancel = func() {
		cancelled()
		<-watched.noticed
	}
	returned := make(chan error, 1)
	go func() { returned <- New(n.config).Publish(watched, lossRoute("hello", 1)) }()
	eventually(t, func() bool { return len(n.waiting("publish", change{app: "other"})) == 1 })
	return n, lock, cancel, returned
}

// A watchedContext tells when somebody has noticed its end.
type watchedContext struct {
	context.Context
	noticed chan struct{}
	once    sync.Once
}

func (c *watchedContext) Err() error {
	err := c.Context.Err()
	if err != nil {
		c.once.Do(func() { close(c.noticed) })
	}
	return err
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	late := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			t.Fatal("waited in vain")
		case <-tick.C:
		}
	}
}

// live reports whether an app has a route.
func live(t *testing.T, n *Proxy, app string) bool {
	t.Helper()
	_, ok, err := n.Live(t.Context(), app)
	if err != nil {
		t.Error(err)
	}
	return ok
}

// nothingWaits checks that no file of a call is left.
func nothingWaits(t *testing.T, n *Proxy) {
	t.Helper()
	if left, _ := os.ReadDir(filepath.Join(n.dir, waitingDir)); len(left) > 0 {
		t.Errorf("%d files of calls are left, the first is %s", len(left), left[0].Name())
	}
}

// TestLeavesInTime: a call that is cancelled before nginx is told is not carried out.
func TestLeavesInTime(t *testing.T) {
	t.Parallel()
	n, lock, cancel, result := holding(t)
	defer lock.Close()
	list := n.waiting("publish", change{app: "other"})
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("the call that was cancelled: %v", err)
	}
	if err := n.claim(list); !errors.Is(err, errLeft) {
		t.Errorf("a call that was cancelled is carried out: %v", err)
	}
	nothingWaits(t, n)
}

// TestLeavesTooLate: once nginx is being told, a call that waits cannot be cancelled. It
// returns when the change is carried out, without the lock.
func TestLeavesTooLate(t *testing.T) {
	t.Parallel()
	n, lock, cancel, result := holding(t)
	defer lock.Close()
	list := n.waiting("publish", change{app: "other"})
	if err := n.claim(list); err != nil {
		t.Fatal(err)
	}
	cancel()
	n.settle(list, doneState)
	if err := <-result; err != nil {
		t.Errorf("after the change was carried out: %v", err)
	}
	nothingWaits(t, n)
}

// TestHolderDies: the holder of the lock dies while it tells nginx. The call that waited
// carries out its change itself, though it was cancelled: nginx may have been told.
func TestHolderDies(t *testing.T) {
	t.Parallel()
	n, lock, cancel, result := holding(t)
	if err := n.claim(n.waiting("publish", change{app: "other"})); err != nil {
		t.Fatal(err)
	}
	cancel()
	lock.Close()
	if err := <-result; err != nil {
		t.Error(err)
	}
	if !live(t, n, "hello") || !live(t, n, "first") {
		t.Error("the change was not carried out")
	}
	nothingWaits(t, n)
}

// TestCallDies: a call that dies is not carried out, before it is claimed and while others
// are, which then wait again.
func TestCallDies(t *testing.T) {
	t.Parallel()
	n, lock, _, result := holding(t)
	r := lossRoute("dies", 1)
	dies := n.leave("publish", change{r.App, &r})
	list := n.waiting("publish", change{app: "other"})
	if len(list) != 2 {
		t.Fatalf("%d calls wait, want 2", len(list))
	}
	dies.file.Close()
	if err := n.claim(list); !errors.Is(err, errLeft) {
		t.Errorf("a dead call is carried out: %v", err)
	}
	if list = n.waiting("publish", change{app: "other"}); len(list) != 1 || list[0].App != "hello" {
		t.Errorf("%d calls wait after one has died, want the other one", len(list))
	}
	lock.Close()
	if err := <-result; err != nil {
		t.Error(err)
	}
	if live(t, n, "dies") || !live(t, n, "hello") {
		t.Error("the dead call's route is live, or the other one's is not")
	}
	nothingWaits(t, n)
}

// TestDamagedRequest: a file that no call can have left is not carried out.
func TestDamagedRequest(t *testing.T) {
	t.Parallel()
	n, lock, _, result := holding(t)
	r := lossRoute("hello", 2)
	for _, c := range []change{
		{"../hello", nil}, {"", nil}, {"another", &r}, // not its route
		{"wrong", &proxy.Route{App: "wrong", Domains: []string{"a;b"}}},
	} {
		defer n.leave("publish", c).remove()
	}
	garbage := n.leave("publish", change{app: "garbage"})
	defer garbage.remove()
	if err := os.WriteFile(garbage.path+wantedState, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if list := n.waiting("publish", change{app: "other"}); len(list) != 1 || list[0].Route.Release != 1 {
		t.Errorf("%d calls are carried out, want one", len(list))
	}
	lock.Close()
	if err := <-result; err != nil {
		t.Error(err)
	}
}
