package app

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
)

func Merged(a, b map[string]int) map[string]int {
	m := maps.Clone(a)
	if m == nil {
		m = map[string]int{}
	}
	maps.Copy(m, b)
	return m
}

// NewAttempt names one preparation of a release.
func NewAttempt() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// ScaleTo stores counts. They replace those that --skip-deploy left for these types:
// otherwise the next deploy would bring back an older number.
func (st *State) ScaleTo(counts map[string]int) {
	st.Scale = Merged(st.Scale, counts)
	for t := range counts {
		delete(st.ScaleNext, t)
	}
}

// Process is one instance that is to run.
type Process struct {
	Type     string
	Index    int
	HostPort int // 0: not published
	// Exclusive: none of its type from another release may run beside it.
	Exclusive bool
}

func (p Process) String() string { return fmt.Sprintf("%s.%d", p.Type, p.Index) }
