package app

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"time"
)

// KeptAge is how long an app stays that a failed push created, if nobody sets anything and
// no push succeeds.
const KeptAge = 7 * 24 * time.Hour

// Expired reports whether the app has been kept for KeptAge.
func (st *State) Expired() bool { return !st.Kept.IsZero() && time.Since(st.Kept) >= KeptAge }

// Untouched reports whether the app has neither a setting nor a release, nor ever ran a
// script. A new field of State counts as a setting unless it is named here.
func (st *State) Untouched() bool {
	c := *st
	c.Version, c.CreatedAt, c.Provisional, c.Kept, c.Staged, c.Retiring = 0, time.Time{}, false, time.Time{}, nil, nil
	if c.Isolated() { // as every new app is
		c.Isolation = IsolationOlder
	}
	data, err := json.Marshal(c) // leaves out empty maps, as the stored file does
	return err == nil && string(data) == `{"version":0}`
}

// Merged returns a new map with the entries of both; b's win.
func Merged[V any](a, b map[string]V) map[string]V {
	m := maps.Clone(a)
	if m == nil {
		m = map[string]V{}
	}
	maps.Copy(m, b)
	return m
}

// NewAttempt returns a random name for one attempt to deploy a release.
func NewAttempt() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// ScaleTo stores counts. It removes the counts of these types that --skip-deploy set:
// otherwise the next deploy would bring back an older number.
func (st *State) ScaleTo(counts map[string]int) {
	st.Scale = Merged(st.Scale, counts)
	for t := range counts {
		delete(st.ScaleNext, t)
	}
}

// Retire records containers as retiring, to be stopped from due on; see Retiring.
func (st *State) Retire(ids []string, due time.Time) {
	if st.Retiring == nil {
		st.Retiring = map[string]time.Time{}
	}
	for _, id := range ids {
		st.Retiring[id] = due
	}
}

// Process is one desired instance.
type Process struct {
	Type     string
	Index    int
	HostPort int // 0: not published
	// Alone: no process of its type from another release may run beside it. Its type is
	// exclusive (scale.Exclusive), or zero downtime is disabled for it (checks:disable).
	Alone bool
	// Late: it starts once its release is current, without checks. Zero downtime is
	// disabled for its type.
	Late bool
}

func (p Process) String() string { return fmt.Sprintf("%s.%d", p.Type, p.Index) }
