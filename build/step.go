package build

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// StepWidth is the column at which a step's time ends.
	StepWidth = 54
	// AnnounceAfter is how long a step runs before its name is printed: a shorter one
	// is one line, with its time.
	AnnounceAfter = 500 * time.Millisecond
	// AliveFirst is the longest silence after a line that says something new, AliveEvery
	// any other: pushers, and proxies on the way, take a longer one for a hang.
	AliveFirst = 5 * time.Second
	AliveEvery = 15 * time.Second
	// TailLines is how many of a step's last lines an Error has.
	TailLines = 30
)

// Column is a step's name, shortened, with its time at the right edge.
func Column(name, took string) string {
	name = Shorten(name, StepWidth-len(took)-2)
	return name + strings.Repeat(" ", StepWidth-len(took)-utf8.RuneCountInString(name)) + took
}

// Shorten cuts s to at most n characters.
func Shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-3]) + "..."
}

// Seconds prints a duration as a push does: "12.3s".
func Seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
