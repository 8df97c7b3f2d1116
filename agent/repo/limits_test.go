package repo

import (
	"os/exec"
	"strings"
	"testing"
)

// TestLimitsOfGit: a pack of some kilobytes makes git index-pack hold gigabytes or compute for hours.
// Both end at limits that a process inherits, and that go when git runs.
func TestLimitsOfGit(t *testing.T) {
	limits := func() string {
		out, err := exec.Command("sh", "-c", "ulimit -d; ulimit -t").CombinedOutput()
		must(t, err)
		return strings.Join(strings.Fields(string(out)), " ")
	}
	before := limits()
	must(t, Limit(512<<20))
	within := limits()
	Unlimit()
	if within != "524288 1800" || limits() != before {
		t.Errorf("the limits are %s, then %s, then %s", before, within, limits())
	}
}
