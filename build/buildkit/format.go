package buildkit

import (
	"fmt"
	"time"
)

// seconds prints a duration as the push does: "12.3s".
func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// count prints a number and its noun: "1 file", "14 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
