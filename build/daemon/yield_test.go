package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestYields: builds take what others leave until those use three quarters of the processors, and
// again once they use no more than half. What builds themselves take does not count.
func TestYields(t *testing.T) {
	for _, c := range []struct {
		name                string
		now                 bool
		idle, builds, other int // seconds of 20
		want                bool
	}{
		{"nobody works", true, 20, 0, 0, true},
		{"a build alone", true, 0, 20, 0, true},
		{"a push beside a build", true, 0, 10, 10, true},
		{"others, busier", true, 0, 6, 14, true},
		{"a busy host", true, 0, 5, 15, false},
		{"a busy host, where builds get their share", false, 0, 7, 13, false},
		{"others are done", false, 0, 11, 9, true},
	} {
		s := func(n int) time.Duration { return time.Duration(n) * time.Second }
		if got := yields(c.now, usage{all: s(20), idle: s(c.idle), builds: s(c.builds)}); got != c.want || c.idle+c.builds+c.other != 20 {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// TestHostTimes: the times of this host grow, and no more of them is idle than there is.
func TestHostTimes(t *testing.T) {
	all, idle, err := hostTimes()
	if err != nil || all <= 0 || idle < 0 || idle > all {
		t.Errorf("%s, idle %s, %v", all, idle, err)
	}
}

// TestYield: the kernel gives the cgroup what others leave, and its weight again afterwards. A
// service that was killed in between starts anew.
func TestYield(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("the test needs root, which makes cgroups: sudo ./install.sh test")
	}
	c := sample()
	c.Name = "dokku-yield-" + strconv.Itoa(os.Getpid())
	g := c.cgroup()
	t.Cleanup(func() {
		if err := g.remove(); err != nil {
			t.Error(err)
		}
	})
	weight, _ := g.weight()
	idle := filepath.Join(filepath.Dir(weight), "cpu.idle")
	says := func(file, want string) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(cgroupRoot, file))
		if got := strings.TrimSpace(string(b)); err != nil || got != want {
			t.Errorf("%s is %q, want %q (%v)", file, got, want, err)
		}
	}
	y := yielder{group: g}
	for range 2 {
		if err := errors.Join(g.limit(c.Settings), y.look()); err != nil {
			t.Fatal(err)
		}
		says(idle, "1")
		y = yielder{group: g}
	}
	if err := g.yield(false); err != nil {
		t.Fatal(err)
	}
	_, want := g.weight()
	says(idle, "0")
	says(weight, want)
}
