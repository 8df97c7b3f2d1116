package watch

import (
	"context"
	"errors"
	"time"

	"dokku/agent/engine"
)

// nodesEvery is the interval between two looks at the node service.
const nodesEvery = time.Minute

// nodeService gives the nodes of a swarm the program of this agent once, as soon as it can: an
// update of the server starts the agent anew. It looks after their certificates and images all the time.
func (w *Controller) nodeService(ctx context.Context) {
	for renewed, failed := false, ""; ctx.Err() == nil; engine.Pause(ctx, nodesEvery) {
		var err error
		if !renewed {
			err = w.Server.RenewNodeService(ctx)
			renewed = err == nil
		}
		if err == nil {
			err = errors.Join(w.Server.TendNodeKeys(ctx, w.log), w.Server.PruneGone(ctx, w.log))
		}
		switch {
		case ctx.Err() != nil:
		case err == nil:
			failed = ""
		case err.Error() != failed:
			failed = err.Error()
			w.log.Warn("%s", err)
		}
	}
}
