package store

import (
	"context"
	"os"
	"sync"
	"testing"

	"dokku/agent/event"
)

// TestRemovedLock (L4): the file of a lock may be removed by its holder, and still two
// processes never hold the lock of one name.
func TestRemovedLock(t *testing.T) {
	s := &Store{Root: t.TempDir()}
	var inside, most int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				l, err := s.LockApp(context.Background(), "shop", "a test", event.Log{})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				inside++
				most = max(most, inside)
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				l.Gone = true
				l.Release()
			}
		})
	}
	wg.Wait()
	if most != 1 {
		t.Errorf("%d held the lock at once", most)
	}
	if _, err := os.Stat(s.Own("locks", "shop")); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
}

// TestLockOfARemovedFile: who waited for a lock whose file was removed meanwhile has a lock that the next
// one does not see.
func TestLockOfARemovedFile(t *testing.T) {
	s := &Store{Root: t.TempDir()}
	first, err := s.LockApp(t.Context(), "shop", "a test", event.Log{})
	if err != nil {
		t.Fatal(err)
	}
	waits := make(said, 1)
	second := make(chan *Lock, 1)
	go func() {
		l, err := s.LockApp(context.Background(), "shop", "a test", event.New(waits))
		if err != nil {
			t.Error(err)
		}
		second <- l
	}()
	<-waits // it has opened the file
	first.Gone = true
	first.Release()
	l := <-second
	if third, free, err := s.TryLock("shop", "a test"); free || err != nil {
		t.Errorf("two hold the lock, %v", err)
		if free {
			third.Release()
		}
	}
	l.Release()
}

// said tells when a log says its first line.
type said chan struct{}

func (s said) Write(p []byte) (int, error) {
	select {
	case s <- struct{}{}:
	default:
	}
	return len(p), nil
}
