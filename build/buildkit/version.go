package buildkit

import (
	"regexp"
	"strconv"
)

// Safe says which engines' builders keep a build away from the host.
const Safe = "24.0.9, 25.0.2 or later"

var versionForm = regexp.MustCompile(`^(\d+)\.(\d+)\.(\d+)`)

// Unsafe reports whether the BuildKit of an engine of this version lets a build read and change
// the host's files: CVE-2024-23651, -23652 and -23653, which BuildKit 0.12.5 ended, and with it Moby
// 24.0.9 and 25.0.2 (https://github.com/moby/moby/security/advisories). A version of another form
// or 0.0.0 is that of a development build, or of another engine, and counts as safe.
func Unsafe(version string) bool {
	m := versionForm.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1])
	}
	switch n[0] {
	case 24:
		return n[1] == 0 && n[2] < 9
	case 25:
		return n[1] == 0 && n[2] < 2
	}
	return n[0] > 0 && n[0] < 24
}
