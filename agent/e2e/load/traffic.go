package load

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
)

// An answer is the outcome of one request.
type answer struct {
	begun, ended time.Time
	status       int
	rev          string
	err          error
}

// Traffic requests a path of an app at a fixed rate, each time over a new connection,
// without a retry.
type Traffic struct {
	t    *testing.T
	end  chan struct{}
	wait sync.WaitGroup

	mu      sync.Mutex
	answers []answer
}

// Ask starts traffic, which ends with Check, Answered or the test.
func Ask(a *lab.App, path string, perSecond int) *Traffic {
	return AskAt(a, fmt.Sprintf("127.0.0.1:%d", a.Lab.Nginx.Port), path, perSecond)
}

// AskAt is Ask at another server's address.
func AskAt(a *lab.App, address, path string, perSecond int) *Traffic {
	c := &Traffic{t: a.Lab.T, end: make(chan struct{})}
	one := func() {
		begun := time.Now()
		status, body, err := a.Ask(address, path)
		rev, _, _ := strings.Cut(body, " ")
		c.mu.Lock()
		defer c.mu.Unlock()
		c.answers = append(c.answers, answer{begun, time.Now(), status, rev, err})
	}
	c.wait.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		begun, sent := time.Now(), 0
		for {
			select {
			case <-c.end:
				return
			case <-tick.C:
			}
			// A busy machine drops ticks, and the rate is a promise.
			for due := int(time.Since(begun).Seconds() * float64(perSecond)); sent < due; sent++ {
				c.wait.Go(one)
			}
		}
	})
	a.Lab.T.Cleanup(c.stop)
	return c
}

// stop ends the traffic and waits for all answers.
func (c *Traffic) stop() {
	select {
	case <-c.end:
	default:
		close(c.end)
	}
	c.wait.Wait()
}

// A pushedVersion is a version that git has accepted, or the same one with another config.
type pushedVersion struct {
	rev, config string
	// accepted is when main was last seen without it: no answer of the version may
	// have come by then.
	accepted time.Time
	// live is when its push returned: no request that begins later may get an
	// answer of an older version.
	live time.Time
}

// History records when git accepted which version, while versions are pushed.
type History struct {
	versions []pushedVersion
	tip      string    // of main
	last     time.Time // when main had not moved yet
	end      chan struct{}
	done     chan struct{}
	mu       sync.Mutex
}

// Watch starts a history of the app.
func Watch(a *lab.App) *History {
	tip := a.Tip("main")
	h := &History{versions: []pushedVersion{{rev: tip}}, tip: tip, end: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(h.done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			h.look(a)
			select {
			case <-h.end:
				return
			case <-tick.C:
			}
		}
	}()
	return h
}

func (h *History) look(a *lab.App) {
	now := time.Now()
	tip := lab.ReadTip(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	if tip != "" && tip != h.tip {
		h.tip = tip
		config := h.versions[len(h.versions)-1].config
		h.versions = append(h.versions, pushedVersion{rev: tip, config: config, accepted: h.last})
	}
	h.last = now
}

// configured notes that the last version is about to get another config.
func (h *History) configured(config string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	rev := h.versions[len(h.versions)-1].rev
	h.versions = append(h.versions, pushedVersion{rev: rev, config: config, accepted: time.Now()})
}

// Back runs a command that brings back a revision, while main stays.
func (h *History) Back(rev string, command func()) {
	h.mu.Lock()
	config := h.versions[len(h.versions)-1].config
	h.mu.Unlock()
	h.back(rev, config, command)
}

// back is Back with another config.
func (h *History) back(rev, config string, command func()) {
	h.mu.Lock()
	h.versions = append(h.versions, pushedVersion{rev: rev, config: config, accepted: time.Now()})
	h.mu.Unlock()
	command()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.versions[len(h.versions)-1].live = time.Now()
}

// earlier returns the last revision before the present one.
func (h *History) earlier() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := h.versions[len(h.versions)-1].rev
	for _, v := range slices.Backward(h.versions) {
		if v.rev != last {
			return v.rev
		}
	}
	return last
}

// returned notes that the push of the last version has returned.
func (h *History) returned(a *lab.App) {
	h.look(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.versions[len(h.versions)-1].live = time.Now()
}

// Stop ends the history and returns the versions in their order.
func (h *History) Stop() []pushedVersion {
	close(h.end)
	<-h.done
	return h.versions
}

// Lost ends the traffic. It returns how many requests got no 200, and how long after since the
// last of them began.
func (c *Traffic) Lost(since time.Time) (count int, within time.Duration) {
	c.stop()
	for _, a := range c.answers {
		if a.err != nil || a.status != http.StatusOK {
			count++
			within = max(within, a.begun.Sub(since))
		}
	}
	return count, within
}

// Check fails the test unless an accepted version answered every request, and no version
// that was replaced before the request began. Every version must have answered.
func (c *Traffic) Check(versions []pushedVersion) {
	c.t.Helper()
	c.stop()
	var wrong []string
	served := map[string]int{}
	for _, a := range c.answers {
		served[a.rev]++
		if text := a.wrong(versions); text != "" {
			wrong = append(wrong, fmt.Sprintf("at %s, after %s: %s", a.begun.Format("05.000"), a.ended.Sub(a.begun).Round(time.Millisecond), text))
		}
	}
	if len(wrong) > 0 {
		c.t.Errorf("%d of %d requests went wrong:\n%s", len(wrong), len(c.answers), strings.Join(wrong[:min(10, len(wrong))], "\n"))
	}
	for _, v := range versions {
		if served[v.rev] == 0 {
			c.t.Errorf("revision %s never answered: the traffic proves nothing about it", v.rev)
		}
	}
	c.t.Logf("%d requests", len(c.answers))
}

func (a answer) wrong(versions []pushedVersion) string {
	if a.err != nil || a.status != 200 {
		return fmt.Sprintf("status %d, error %v", a.status, a.err)
	}
	n := slices.IndexFunc(versions, func(v pushedVersion) bool { return v.rev == a.rev })
	if n < 0 {
		return "an answer of " + a.rev + ", which was never accepted"
	}
	if a.ended.Before(versions[n].accepted) {
		return fmt.Sprintf("an answer of %s %s before it was accepted", a.rev, versions[n].accepted.Sub(a.ended))
	}
	for _, newer := range versions[n+1:] {
		if !newer.live.IsZero() && a.begun.After(newer.live) {
			return fmt.Sprintf("an answer of %s %s after %s went live", a.rev, a.begun.Sub(newer.live), newer.rev)
		}
	}
	return ""
}

// Answered fails the test unless an accepted version answered every request.
func (c *Traffic) Answered(versions []pushedVersion) {
	c.t.Helper()
	c.stop()
	for _, a := range c.answers {
		if text := a.wrong(versions); text != "" || a.status != http.StatusOK {
			c.t.Errorf("at %s: %s", a.begun.Format("05.000"), text)
			return
		}
	}
	if len(c.answers) == 0 {
		c.t.Error("no request was sent")
	}
}
