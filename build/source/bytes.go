package source

import "fmt"

// Bytes prints a number of bytes for people, in decimal units and with two
// digits or more: "1.2 kB", "120 kB". go-units has no such form: it prints
// "120kB" or "1.234MB", and 999,999 bytes as "1000kB".
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

// more says that size is more than limit, in bytes where the rounded sizes are the same.
func more(size, limit int64) (have, most string) {
	if have, most = Bytes(size), Bytes(limit); have == most {
		return fmt.Sprintf("%d bytes", size), fmt.Sprintf("%d", limit)
	}
	return have, most
}
