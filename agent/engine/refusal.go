package engine

import "regexp"

// A Refusal says that a container's program was never started.
type Refusal struct {
	Program string
	Cause   string // of execve(2): "No such file or directory"
}

// refusal is the line that the init of a container (tini 0.18 and 0.19, which Docker
// runs) prints in place of the program's output.
var refusal = regexp.MustCompile(`^\[FATAL tini \(\d+\)\] exec (.+) failed: (.+)$`)

// ParseRefusal reads a line of a container's log; nil for a line of its program.
func ParseRefusal(line string) *Refusal {
	m := refusal.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	return &Refusal{m[1], m[2]}
}
