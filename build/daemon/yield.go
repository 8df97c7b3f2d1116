package daemon

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	// yieldEvery is the time between two looks at who uses the processors: longer than most
	// pushes take, which would end their own precedence else.
	yieldEvery = 10 * time.Second
	// clockTick is the unit of the times in /proc/stat: USER_HZ, which is 100 wherever Go runs on Linux.
	clockTick = time.Second / 100
)

// usage are processor times since some moment.
type usage struct {
	// all is what the host had to give, idle what nobody took of it, and builds what the
	// builder's cgroup took.
	all, idle, builds time.Duration
}

// yields decides whether builds take only what the rest of the host leaves, by the
// usage between two looks. They do as long as it leaves half of the processors: then a push, which
// has short work for many processes, is hardly slower beside a build. Where the host is busy
// they would starve, and get the share of their weight until it has room again.
func yields(now bool, u usage) bool {
	others := u.all - u.idle - u.builds
	switch {
	case others*4 >= u.all*3:
		return false
	case others*2 <= u.all:
		return true
	}
	return now
}

// usage reads the times since the host and the cgroup began.
func (g cgroup) usage() (u usage, err error) {
	if u.all, u.idle, err = hostTimes(); err != nil {
		return u, err
	}
	u.builds, err = g.time()
	return u, err
}

// hostTimes reads /proc/stat, see proc(5).
func hostTimes() (all, idle time.Duration, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 8 || string(fields[0]) != "cpu" {
		return 0, 0, fmt.Errorf("/proc/stat begins with %q", line)
	}
	for n, field := range fields[1:8] { // without steal: the host has not had it
		v, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0, 0, err
		}
		all += time.Duration(v) * clockTick
		if n == 3 || n == 4 { // idle, iowait
			idle += time.Duration(v) * clockTick
		}
	}
	return all, idle, nil
}

// time reads how much processor time the cgroup has taken.
func (g cgroup) time() (time.Duration, error) {
	if g.unified {
		b, err := os.ReadFile(filepath.Join(cgroupRoot, g.name, "cpu.stat"))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(b)) {
			if name, value, _ := strings.Cut(strings.TrimSpace(line), " "); name == "usage_usec" {
				n, err := strconv.ParseInt(value, 10, 64)
				return time.Duration(n) * time.Microsecond, err
			}
		}
		return 0, errors.New("cpu.stat has no usage_usec")
	}
	b, err := os.ReadFile(filepath.Join(cgroupRoot, accounting, g.name, "cpuacct.usage"))
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
	return time.Duration(n), err
}

// yield has the cgroup take what others leave, or the share of its weight again, which the
// kernel forgets meanwhile. Kernels before 5.15 cannot.
func (g cgroup) yield(on bool) error {
	dir := filepath.Join(cgroupRoot, g.name)
	if !g.unified {
		dir = filepath.Join(cgroupRoot, "cpu", g.name)
	}
	value := "0"
	if on {
		value = "1"
	}
	if err := os.WriteFile(filepath.Join(dir, "cpu.idle"), []byte(value), 0); err != nil || on {
		return err
	}
	file, weight := g.weight()
	return os.WriteFile(filepath.Join(cgroupRoot, file), []byte(weight), 0)
}

// A yielder looks at the host, and has builds yield to it or not.
type yielder struct {
	group cgroup
	last  usage
	on    bool
}

// look compares with the look before. Its first one has builds yield.
func (y *yielder) look() error {
	now, err := y.group.usage()
	if err != nil {
		return err
	}
	between := usage{now.all - y.last.all, now.idle - y.last.idle, now.builds - y.last.builds}
	on := y.last.all == 0 || yields(y.on, between)
	y.last = now
	if on == y.on {
		return nil
	}
	if err = y.group.yield(on); err == nil {
		y.on = on
	}
	return err
}
