package agent

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
)

func merged(a, b map[string]int) map[string]int {
	m := maps.Clone(a)
	if m == nil {
		m = map[string]int{}
	}
	maps.Copy(m, b)
	return m
}

// newAttempt names one preparation of a release.
func newAttempt() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// scaleTo stores counts. They replace those that --skip-deploy left for these types:
// otherwise the next deploy would bring back an older number.
func (st *State) scaleTo(counts map[string]int) {
	st.Scale = merged(st.Scale, counts)
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
