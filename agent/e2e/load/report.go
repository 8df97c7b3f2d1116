package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// A Report is the output of testdata/load; see there.
type Report struct {
	Seconds, Late float64
	Kinds         map[string]struct {
		Sent, Failed, Resets int
		P50, P99, Max        float64
	}
	Versions []versionReport
	Failures []struct {
		Kind, App string
		Due       time.Time
		After     float64
		Error     string
	}
	Broken   []brokenSocket
	Survived map[string]int
	// Certificates are those that TLS handshakes got.
	Certificates []certificateReport
	// Outlived is how many certificates were new, at most, while a websocket over TLS
	// stayed open.
	Outlived int
}

type versionReport struct {
	App, Rev, Config, Kind string
	Answers                int
	First, Last            time.Time
}

type brokenSocket struct {
	App, Rev, Config string
	Opened, Broke    time.Time
	Life             time.Duration
}

// rate is the number of answered requests per second, without websockets.
func (r *Report) rate() float64 {
	answered := 0
	for name, k := range r.Kinds {
		if !strings.HasPrefix(name, "websocket") {
			answered += k.Sent - k.Failed - k.Resets
		}
	}
	return float64(answered) / r.Seconds
}

// Print logs the report as a table.
func (r *Report) Print(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "%.0f answers a second for %.0f s, the latest request %.0f ms behind its schedule\n", r.rate(), r.Seconds, r.Late)
	fmt.Fprintf(&b, "%-30s %8s %6s %6s %8s %8s %8s\n", "", "sent", "failed", "resets", "p50 ms", "p99 ms", "max ms")
	for _, name := range slices.Sorted(maps.Keys(r.Kinds)) {
		k := r.Kinds[name]
		fmt.Fprintf(&b, "%-30s %8d %6d %6d %8.1f %8.1f %8.1f\n", name, k.Sent, k.Failed, k.Resets, k.P50, k.P99, k.Max)
	}
	handshakes := 0
	for _, c := range r.Certificates {
		handshakes += c.Handshakes
	}
	fmt.Fprintf(&b, "%d TLS handshakes with %d certificates, of which a websocket outlived %d\n", handshakes, len(r.Certificates), r.Outlived)
	fmt.Fprintf(&b, "websockets that lived as long as planned: %v; ended with their process: %d", r.Survived, len(r.Broken))
	t.Log(b.String())
}

// Check fails the test for each failed request, each answer of a wrong version, and a
// rate that was not kept. A kept connection that nginx closes between two requests is no
// failure.
func (r *Report) Check(t *testing.T, rate int, apps []*App) {
	t.Helper()
	if got := r.rate(); got < 0.9*float64(rate) {
		t.Errorf("%.0f requests a second were answered, want %d", got, rate)
	}
	for name, k := range r.Kinds {
		if k.Failed > 0 {
			t.Errorf("%s: %d of %d requests went wrong", name, k.Failed, k.Sent)
		}
	}
	for _, f := range r.Failures[:min(10, len(r.Failures))] {
		t.Errorf("%s to %s at %s, after %.0f ms: %s", f.Kind, f.App, f.Due.Format("05.000"), f.After, f.Error)
	}
	for _, kind := range []string{"GET", "POST", "slow GET", "GET, kept connection", "websocket", "websocket frame"} {
		for _, kind := range []string{kind, kind + " over TLS"} {
			if r.Kinds[kind].Sent == 0 {
				t.Errorf("%s: none was sent", kind)
			}
		}
	}
	if r.Outlived == 0 {
		t.Error("no websocket over TLS outlived its certificate: the load proves nothing about that")
	}
	for _, a := range apps {
		a.judge(t, r)
		a.judgeCertificates(t, r)
	}
}

// judge compares an app's answers with its accepted versions at that time.
func (a *App) judge(t *testing.T, r *Report) {
	t.Helper()
	versions := a.History.Stop()
	served := make([]int, len(versions))
	for _, v := range r.Versions {
		if v.App != a.App.Name {
			continue
		}
		n, text := v.wrong(versions)
		if text != "" {
			t.Errorf("%s: %d answers to %s: %s", a.App.Name, v.Answers, v.Kind, text)
		}
		if n >= 0 {
			served[n] += v.Answers
		}
	}
	for n, v := range versions {
		if served[n] == 0 {
			t.Errorf("revision %s of %s with the config %s never answered: the load proves nothing about it", v.rev, a.App.Name, v.config)
		}
	}
	for _, b := range r.Broken {
		if b.App == a.App.Name && !a.ended(b) {
			t.Errorf("a websocket to %s of %s broke at %s, %s after it was opened, and its process was to be kept for %s",
				b.Rev, a.App.Name, b.Broke.Format("05.000"), b.Broke.Sub(b.Opened), Retire)
		}
	}
}

// wrong returns the problem of an answer by this version; "" for none.
func (v versionReport) wrong(versions []pushedVersion) (n int, text string) {
	n = slices.IndexFunc(versions, func(p pushedVersion) bool { return p.rev == v.Rev && p.config == v.Config })
	if n < 0 {
		return n, fmt.Sprintf("revision %s with the config %s was never accepted", v.Rev, v.Config)
	}
	if early := versions[n].accepted.Sub(v.First); early > 0 {
		return n, fmt.Sprintf("revision %s answered %s before it was accepted", v.Rev, early)
	}
	for _, newer := range versions[n+1:] {
		if late := v.Last.Sub(newer.live); !newer.live.IsZero() && late > 0 {
			return n, fmt.Sprintf("revision %s with the config %s answered a request that began %s after %s with the config %s was live",
				v.Rev, v.Config, late, newer.rev, newer.config)
		}
	}
	return n, ""
}

// ended reports whether the process of a broken websocket was due to end: its minimum time
// since a change was over.
func (a *App) ended(b brokenSocket) bool {
	return b.Life > Retire && slices.ContainsFunc(a.changes, func(c change) bool {
		return c.ended.After(b.Opened) && b.Broke.After(c.begun.Add(Retire))
	})
}
