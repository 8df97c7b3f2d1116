package swarm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/engine"
)

// sharedLook is group, for members that start or end at the same time: one of them asks for all.
func (e *Engine) sharedLook(ctx context.Context, id string) (group, error) {
	v, err, _ := e.looks.Do(id, func() (any, error) { return e.group(ctx, id) })
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) { // perhaps of the one that asked
		return e.group(ctx, id)
	}
	g, _ := v.(group)
	return g, err
}

// awaitChange returns when the tasks of a group are others than they were, or after
// lookPause: a look at the tasks alone costs the engine a fifth of one at the whole group.
// Calls for one group that come at the same time share it.
func (e *Engine) awaitChange(ctx context.Context, g group) {
	_, _, _ = e.looks.Do("tasks "+g.ID, func() (none any, _ error) {
		for late := time.Now().Add(lookPause); time.Now().Before(late); {
			engine.Pause(ctx, taskPause)
			tasks, err := e.tasks(ctx, []string{g.ID})
			if ctx.Err() != nil || err != nil || fingerprint(tasks, g.ID) != g.print {
				break
			}
		}
		return none, nil
	})
}

// fingerprint changes with each change of the tasks that a service has.
func fingerprint(tasks []swarm.Task, service string) string {
	var words []string
	for _, t := range tasks {
		if t.ServiceID == service {
			words = append(words, fmt.Sprint(t.ID, t.Version.Index))
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}
