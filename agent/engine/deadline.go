package engine

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Deadlines of calls to an engine.
const (
	QuickCall = 30 * time.Second // looks something up
	SlowCall  = 2 * time.Minute  // makes or removes something
	PruneCall = 10 * time.Minute // removes any number of things
	// settleTime is how long a change that is under way may go on after the context
	// of its caller has ended.
	settleTime = 10 * time.Second
)

// Within bounds a call to the engine. The cause of the context's end is a SlowError.
func Within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, SlowError{limit})
}

// Settled bounds a change that must not stop halfway. The returned context outlives
// ctx by 10 seconds, so that the caller learns the outcome and can undo it.
func Settled(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	c, cancelCause := context.WithCancelCause(context.WithoutCancel(ctx))
	c, cancel := Within(c, limit)
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(settleTime, func() { cancelCause(SlowError{settleTime}) })
		context.AfterFunc(c, func() { timer.Stop() })
	})
	return c, func() {
		stop()
		cancel()
		cancelCause(nil)
	}
}

// Short shortens an id as docker ps does; names stay as they are.
func Short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	if len(id) == 64 {
		return id[:12]
	}
	return id
}

// SlowError says that the engine has not answered in time. It is a
// context.DeadlineExceeded.
type SlowError struct{ Limit time.Duration }

func (e SlowError) Error() string {
	return fmt.Sprintf("the Docker Engine did not answer within %s (try: systemctl status docker)", e.Limit)
}

// Is makes the error a context.DeadlineExceeded.
func (e SlowError) Is(target error) bool { return target == context.DeadlineExceeded }

// Pause waits for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
