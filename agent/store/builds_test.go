package store

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"dokku/agent/event"
)

// lines sends what is written.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// TestLockBuild: as many builds as the server allows run at once. One more waits, says
// behind whom, and goes on when a place is free.
func TestLockBuild(t *testing.T) {
	s := &Store{Root: t.TempDir()}
	if l, err := s.LockBuild(t.Context(), "any", 0, false, event.Log{}); l != nil || err != nil {
		t.Errorf("without a limit: %v, %v", l, err)
	}
	shop, err := s.LockBuild(t.Context(), "shop", 2, false, event.Log{})
	if err != nil {
		t.Fatal(err)
	}
	blog, err := s.LockBuild(t.Context(), "blog", 2, false, event.Log{})
	if err != nil {
		t.Fatal(err)
	}
	printed, done := make(lines, 10), make(chan error)
	ctx, cancel := context.WithCancelCause(t.Context())
	wait := func() {
		l, err := s.LockBuild(ctx, "hello", 2, false, event.New(printed))
		if err == nil {
			l.Release()
		}
		done <- err
	}
	go wait()
	got := <-printed
	for _, want := range []string{"Waiting to build hello: 2 at once is the limit, and this server builds shop, process ", ", blog, process "} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	blog.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	shop.F.Close() // as a kill does
	again, err := s.LockBuild(t.Context(), "shop", 1, false, event.Log{})
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
	if fi, err := os.Stat(s.Own("locks", buildPlace(0))); err != nil || fi.Size() > 0 {
		t.Errorf("the place has a note left: %v, %v", fi, err)
	}
	held, err := s.LockBuild(t.Context(), "shop", 1, false, event.Log{})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	gone := errors.New("the client went away")
	cancel(gone)
	if _, err := s.LockBuild(ctx, "hello", 1, false, event.Log{}); !errors.Is(err, gone) || !strings.HasPrefix(err.Error(), "gave up waiting to build hello: ") {
		t.Errorf("cancelled: %v", err)
	}
}
