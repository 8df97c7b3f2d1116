package deploy

import (
	"context"
	"fmt"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/text"
	"dokku/scale"
)

// Ailment is what is wrong with a process that should run, as a clause about it: "has
// ended with exit code 1 at ...". It is "" for a healthy process.
func (e *Env) Ailment(ctx context.Context, r *app.Release, i engine.Instance) string {
	switch {
	case i.Placed() && (i.Status == engine.StatusCreated || i.Status == engine.StatusRestarting && (i.Trouble != "" || i.Restarts == 0)):
		return strings.TrimSuffix("waits for a node of the swarm: "+i.Trouble, ": ")
	case i.Status == engine.StatusRestarting:
		least := ""
		if i.Placed() { // a swarm forgets
			least = "at least "
		}
		return fmt.Sprintf("keeps ending%s, %s%s so far", Ending(i), least, text.Plural(i.Restarts, "restart"))
	case i.Status == engine.StatusPaused:
		return "is paused"
	case i.Status == engine.StatusLost:
		return fmt.Sprintf("is on node %s, which does not answer", i.Node)
	case !i.Running():
		return fmt.Sprintf("has ended%s at %s%s", Ending(i), i.Finished.Format(time.RFC3339), usedUp(i))
	case i.Unhealthy != "":
		return "is unhealthy, says the image's HEALTHCHECK: " + i.Unhealthy
	case i.Type == scale.Web && !e.Accepts(ctx, i, r.Port):
		on := ""
		if i.Placed() {
			on = " of node " + i.Node
		}
		return fmt.Sprintf("does not accept connections on port %d%s", r.Port, on)
	}
	return ""
}

// usedUp says that the engine has given up restarting a process.
func usedUp(i engine.Instance) string {
	if i.Restarts == 0 {
		return ""
	}
	return fmt.Sprintf(", after %s", text.Plural(i.Restarts, "restart"))
}
