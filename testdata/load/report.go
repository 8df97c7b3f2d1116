package main

import (
	"errors"
	"slices"
	"sync"
	"time"
)

// A kind of request.
type kind string

const (
	get     kind = "GET"
	post    kind = "POST"
	slowGet kind = "slow GET"
	keptGet kind = "GET, kept connection"
	upgrade kind = "websocket"
	frame   kind = "websocket frame"
)

// over is the kind of the same requests over TLS.
func (k kind) over(secure bool) kind {
	if secure {
		return k + " over TLS"
	}
	return k
}

// A report is the output of load. Times are milliseconds.
type report struct {
	Seconds  float64           // duration of the test
	Late     float64           // how far the latest request was behind its schedule
	Kinds    map[kind]*outcome // the requests
	Versions []version         // the versions that answered
	Failures []failure         // the first of them
	Broken   []broken          // websockets that were closed before their time
	Survived map[string]int    // websockets that stayed open, by their life
	// Certificates are those that TLS handshakes have seen.
	Certificates []certificate
	// Outlived is how many certificates were new, at most, while a websocket over TLS
	// stayed open.
	Outlived int
}

type outcome struct {
	Sent, Failed, Resets int
	P50, P99, Max        float64

	took []time.Duration
}

// A version is a version of an app that has answered.
type version struct {
	App, Rev, Config string
	Kind             kind
	Answers          int
	First            time.Time // when the first answer had come
	Last             time.Time // when the last request that it answered was begun
}

// A certificate is one that an app's name has got.
type certificate struct {
	App, Serial string
	Handshakes  int
	First       time.Time // when the first handshake had ended
	Last        time.Time // when the last one was begun
}

type failure struct {
	Kind  kind
	App   string
	Due   time.Time
	After float64
	Error string
}

type broken struct {
	App, Rev, Config string
	Opened, Broke    time.Time
	Life             time.Duration
}

// mostFailures is the number of failures that a report lists.
const mostFailures = 40

// A record collects the outcomes.
type record struct {
	mu       sync.Mutex
	behind   time.Duration
	kinds    map[kind]*outcome
	versions map[versionKey]*version
	failures []failure
	broken   []broken
	alive    map[string]int
	seen     map[certificateKey]*certificate
	outlived int
}

type certificateKey struct{ app, serial string }

type versionKey struct {
	identity
	kind kind
}

func newRecord() *record {
	return &record{kinds: map[kind]*outcome{}, versions: map[versionKey]*version{}, alive: map[string]int{}, seen: map[certificateKey]*certificate{}}
}

func (r *record) late(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behind = max(r.behind, d)
}

// done records the outcome of a request that was due at a time.
func (r *record) done(k kind, app string, due time.Time, err error) {
	took := time.Since(due)
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.kinds[k]
	if o == nil {
		o = &outcome{}
		r.kinds[k] = o
	}
	o.Sent++
	switch {
	case err == nil:
		o.took = append(o.took, took)
	case errors.Is(err, errReset):
		o.Resets++
	default:
		o.Failed++
		if len(r.failures) < mostFailures {
			r.failures = append(r.failures, failure{k, app, due, milliseconds(took), err.Error()})
		}
	}
}

// answered records the version that answered a request.
func (r *record) answered(k kind, id identity, begun, ended time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := versionKey{id, k}
	v := r.versions[key]
	if v == nil {
		v = &version{App: id.app, Rev: id.rev, Config: id.config, Kind: k, First: ended, Last: begun}
		r.versions[key] = v
	}
	v.Answers++
	if ended.Before(v.First) {
		v.First = ended
	}
	if begun.After(v.Last) {
		v.Last = begun
	}
}

// presented records the certificate of a TLS handshake.
func (r *record) presented(app, serial string, begun, ended time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := certificateKey{app, serial}
	c := r.seen[key]
	if c == nil {
		c = &certificate{App: app, Serial: serial, First: ended, Last: begun}
		r.seen[key] = c
	}
	c.Handshakes++
	if ended.Before(c.First) {
		c.First = ended
	}
	if begun.After(c.Last) {
		c.Last = begun
	}
}

// certificates counts the certificates of an app so far.
func (r *record) certificates(app string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key := range r.seen {
		if key.app == app {
			n++
		}
	}
	return n
}

func (r *record) brokenSocket(b broken) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = append(r.broken, b)
}

// survived records a websocket that stayed open, while so many certificates were new.
func (r *record) survived(life time.Duration, outlived int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alive[life.String()]++
	r.outlived = max(r.outlived, outlived)
}

// report sums up the record once no request is running.
func (r *record) report(sending time.Duration) *report {
	p := &report{Seconds: sending.Seconds(), Late: milliseconds(r.behind), Kinds: r.kinds,
		Failures: r.failures, Broken: r.broken, Survived: r.alive, Outlived: r.outlived}
	for _, c := range r.seen {
		p.Certificates = append(p.Certificates, *c)
	}
	for _, v := range r.versions {
		p.Versions = append(p.Versions, *v)
	}
	for _, o := range r.kinds {
		if n := len(o.took); n > 0 {
			slices.Sort(o.took)
			o.P50, o.P99, o.Max = milliseconds(o.took[n/2]), milliseconds(o.took[n*99/100]), milliseconds(o.took[n-1])
		}
	}
	return p
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
