package app

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
)

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

// Process is one desired instance.
type Process struct {
	Type     string
	Index    int
	HostPort int // 0: not published
	// Exclusive: no process of its type from another release may run beside it.
	Exclusive bool
}

func (p Process) String() string { return fmt.Sprintf("%s.%d", p.Type, p.Index) }
