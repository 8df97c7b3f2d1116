package build

import (
	"fmt"
	"time"
)

// Bytes prints a number of bytes for people, in decimal units: "120 kB".
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), 0
	for ; v >= 999.5 && unit < 4; unit++ {
		v /= 1000
	}
	if v < 9.95 {
		return fmt.Sprintf("%.1f %s", v, []string{"B", "kB", "MB", "GB", "TB"}[unit])
	}
	return fmt.Sprintf("%.0f %s", v, []string{"B", "kB", "MB", "GB", "TB"}[unit])
}

// seconds prints a duration as the push does: "12.3s".
func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

// count prints a number and its noun: "1 file", "14 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
