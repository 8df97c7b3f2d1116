package buildkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildtest"
)

// until waits for a condition, and fails when it takes longer than limit.
func until(t *testing.T, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		if time.Since(start) > limit {
			buf := make([]byte, 1<<20)
			t.Fatalf("%s: not within %v\n%s", what, limit, buf[:runtime.Stack(buf, true)])
		}
		<-ticker.C
	}
	return time.Since(start)
}

// runs reports whether some process of this machine has arg on its command line.
func runs(arg string) bool {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		b, _ := os.ReadFile(path)
		for _, a := range bytes.Split(b, []byte{0}) {
			if string(a) == arg {
				return true
			}
		}
	}
	return false
}

// TestImageCancel: a cancelled build returns at once, its RUN step ends, and no goroutine is
// left.
func TestImageCancel(t *testing.T) {
	a := newApp(t)
	seconds := fmt.Sprint(100_000_000 + os.Getpid())
	rev := a.shell("echo begun; sleep " + seconds)
	a.build(a.shell("true")) // warms up the client's connections
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancelCause(context.Background())
	gone := errors.New("the client went away")
	var canceled time.Time
	r := a.request(rev)
	r.Progress = func(l build.Line) {
		if l.Kind == build.KindOutput && l.Text == "  | begun" {
			until(t, 5*time.Second, "the RUN step's start", func() bool { return runs(seconds) })
			canceled = time.Now()
			cancel(gone)
		}
	}
	_, err := a.solve(ctx, r)
	took := time.Since(canceled)
	if !errors.Is(err, gone) || !strings.HasPrefix(err.Error(), "cannot build "+rev[:7]+": ") {
		t.Fatalf("error is %v", err)
	}
	if took > time.Second {
		t.Errorf("returned after %v", took)
	}
	died := until(t, 5*time.Second, "the RUN step's end", func() bool { return !runs(seconds) })
	until(t, 5*time.Second, "the goroutines' end", func() bool { return runtime.NumGoroutine() <= before })
	t.Logf("returned after %v, the step died %v later", took, died)
}

// TestImageCancelEarly: a context that ends before or during the transfer leaves nothing behind.
func TestImageCancelEarly(t *testing.T) {
	a := newApp(t)
	rev := a.repo.Commit("", buildtest.ManyFiles(500, 1000))
	before := runtime.NumGoroutine()
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(context.Background(), after)
		_, err := a.solve(ctx, a.request(rev))
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %v: %v", after, err)
		}
	}
	until(t, 5*time.Second, "the goroutines' end", func() bool { return runtime.NumGoroutine() <= before+1 })
	if res := a.build(rev); res.ImageID == "" {
		t.Error("no image afterwards")
	}
}

func TestImageWithoutEngine(t *testing.T) {
	a := newApp(t)
	cli, err := client.NewClientWithOpts(client.WithHost("unix://" + filepath.Join(t.TempDir(), "none.sock")))
	if err != nil {
		t.Fatal(err)
	}
	r := a.request(a.repo.Commit("", buildtest.ManyFiles(1, 1)))
	none := New(Config{Client: func() *client.Client { return cli }})
	if _, err := none.Solve(context.Background(), r, "Dockerfile"); err == nil || !strings.Contains(err.Error(), "cannot build "+r.Commit.Short+": ") {
		t.Errorf("error is %v", err)
	}
}
