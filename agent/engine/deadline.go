package engine

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Deadlines of calls to an engine.
const (
	quickCall = 30 * time.Second // looks something up
	slowCall  = 2 * time.Minute  // makes or removes something
	// settleTime is how long a change that is under way may go on after the context
	// of its caller has ended.
	settleTime = 10 * time.Second
)

// within bounds a call to the engine.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, slow{limit})
}

// settled bounds a change that must not be left halfway: it outlives ctx by
// settleTime.
func settled(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	c, cancelCause := context.WithCancelCause(context.WithoutCancel(ctx))
	c, cancel := within(c, limit)
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(settleTime, func() { cancelCause(slow{settleTime}) })
		context.AfterFunc(c, func() { timer.Stop() })
	})
	return c, func() {
		stop()
		cancel()
		cancelCause(nil)
	}
}

// short shortens an id as docker ps does; names stay as they are.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	if len(id) == 64 {
		return id[:12]
	}
	return id
}

// slow is the cause of a call's end that the engine left without an answer.
type slow struct{ limit time.Duration }

func (s slow) Error() string {
	return fmt.Sprintf("the Docker Engine did not answer within %s (try: systemctl status docker)", s.limit)
}
