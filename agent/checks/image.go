package checks

import (
	"slices"
	"time"

	"dokku/scale"
)

// Healthcheck is the HEALTHCHECK of an image. A zero time or count is the engine's
// default.
type Healthcheck struct {
	Command     []string // what the engine runs in the container
	Interval    time.Duration
	Timeout     time.Duration
	StartPeriod time.Duration
	Retries     int
}

// imageSource is the source of checks that the image brings.
const imageSource = "HEALTHCHECK"

// addImage adds the image's HEALTHCHECK to the checks of web, or of all types of an app
// without web. A worker from an image for web cannot pass it.
//
// The engine runs it once an interval and calls the container healthy after the first
// success, by default after 30 s. The gate runs the same command at once and again until
// it succeeds, for as long as the engine would take to call the container unhealthy.
func (p *Plan) addImage(h *Healthcheck, types []string) {
	if h == nil || len(h.Command) == 0 || !p.Settings.ImageHealthcheck {
		return
	}
	c := h.check(p.Settings.MaxBudget)
	for _, typ := range types {
		if typ != scale.Web && slices.Contains(types, scale.Web) || len(p.Checks[typ]) == 0 {
			continue
		}
		p.Checks[typ] = append(slices.Clip(p.Checks[typ]), c)
	}
}

// check returns the check that the gate runs.
func (h Healthcheck) check(budget time.Duration) Check {
	or := func(d, otherwise time.Duration) time.Duration {
		if d > 0 {
			return d
		}
		return otherwise
	}
	// The defaults are those of the Dockerfile reference.
	// An attempt is never shorter than shortestWindow: with less, the start period would have
	// many more of them than fit into it, or into the budget.
	interval, timeout, retries := max(or(h.Interval, 30*time.Second), shortestWindow), or(h.Timeout, 30*time.Second), h.Retries
	if retries <= 0 {
		retries = 3
	}
	attempts := retries + int((h.StartPeriod+interval-1)/interval)
	attempts = max(1, min(attempts, int(budget/interval)))
	return Check{Kind: Command, Source: imageSource, Command: h.Command, Wait: interval, Attempts: attempts, Timeout: timeout}
}
