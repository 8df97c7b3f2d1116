package app

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"dokku/build/options"
)

// DefaultType is the key of values for all process types without their own.
const DefaultType = "_default_"

// Kinds of resource settings in the keys of ContainerOptions.Resources.
const (
	ResourceLimit   = "limit"
	ResourceReserve = "reserve"
)

// ResourceKey returns the key of a value: "web.limit.memory".
func ResourceKey(ptype, kind, name string) string { return ptype + "." + kind + "." + name }

// leastMemory is the engine's minimum. mostMemory keeps every sum of sizes within an
// int64.
const (
	leastMemory = 6 << 20
	mostMemory  = 1 << 50
)

// memoryPattern takes docker run's forms of a suffix: m, mb and mib are the same.
var memoryPattern = regexp.MustCompile(`^([0-9]{1,18})(b|[kmg](?:i?b)?)?$`)

// ParseMemory parses a limit of memory; see parseSize.
func ParseMemory(value string) (int64, error) {
	n, err := parseSize(value)
	if err == nil && n < leastMemory {
		return 0, fmt.Errorf("%q is less than 6m, the engine's minimum", value)
	}
	return n, err
}

// parseSize parses a whole number of megabytes, or a number with docker run's suffix b, k,
// m or g. It returns bytes.
func parseSize(value string) (int64, error) {
	m := memoryPattern.FindStringSubmatch(strings.ToLower(value))
	if m == nil {
		return 0, fmt.Errorf("%q is not a size: use a whole number of megabytes, or a number with the suffix b, k, m or g, such as 512m", value)
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // of at most 18 digits
	shift := map[byte]int{'b': 0, 'k': 10, 'm': 20, 'g': 30}[(m[2] + "m")[0]]
	if n > mostMemory>>shift {
		return 0, fmt.Errorf("%q is more than any host has", value)
	}
	return n << shift, nil
}

var cpuPattern = regexp.MustCompile(`^[0-9]{1,6}(\.[0-9]{1,9})?$`)

// ParseCPU parses a number of CPUs, such as 0.5, and returns billionths. It returns those of
// the host for a number above them: an app may come from a larger host.
func ParseCPU(value string) (int64, error) {
	n, err := strconv.ParseFloat(value, 64)
	switch {
	case err != nil || !cpuPattern.MatchString(value):
		return 0, fmt.Errorf("%q is not a number of CPUs: use one such as 0.5 or 2", value)
	case n < 0.01:
		return 0, fmt.Errorf("%q is less than 0.01, the engine's minimum", value)
	}
	return int64(math.Round(min(n, float64(runtime.NumCPU())) * 1e9)), nil
}

// Limits bound a container's use of the host. 0: no limit.
type Limits struct {
	Memory            int64 // bytes; the kernel kills a process that needs more
	MemorySwap        int64 // bytes of memory and swap together, at least Memory
	MemoryReservation int64 // bytes that the container keeps when the host's memory runs short
	NanoCPUs          int64 // billionths of a CPU
	Pids              int64 // processes and threads at the same time
}

// LimitsOf returns the limits of a process type: its own values, else the defaults.
func LimitsOf(resources map[string]string, ptype string) (l Limits, err error) {
	for _, r := range []struct {
		kind, name string
		to         *int64
		parse      func(string) (int64, error)
	}{
		{ResourceLimit, "memory", &l.Memory, ParseMemory},
		{ResourceLimit, "memory-swap", &l.MemorySwap, ParseMemory},
		{ResourceLimit, "cpu", &l.NanoCPUs, ParseCPU},
		{ResourceReserve, "memory", &l.MemoryReservation, ParseMemory},
	} {
		value, ok := resources[ResourceKey(ptype, r.kind, r.name)]
		if !ok {
			value, ok = resources[ResourceKey(DefaultType, r.kind, r.name)]
		}
		if !ok {
			continue
		}
		if *r.to, err = r.parse(value); err != nil {
			return l, fmt.Errorf("cannot use the %s of %s for %s: %w", r.kind, r.name, ptype, err)
		}
	}
	return l, nil
}

// Limits returns the limits of the containers of a process type: those of resource:limit and
// resource:reserve, else those of docker options, else those of the isolation.
func (a ContainerOptions) Limits(ptype string, docker options.Container) (Limits, error) {
	l, err := LimitsOf(a.Resources, ptype)
	if err != nil {
		return l, err
	}
	l.Memory = cmp.Or(l.Memory, docker.Memory)
	l.MemoryReservation = cmp.Or(l.MemoryReservation, docker.Reservation)
	l.NanoCPUs = cmp.Or(l.NanoCPUs, min(docker.NanoCPUs, int64(runtime.NumCPU())*1e9))
	err = l.check()
	a.Isolation.limit(&l)
	return l, err
}

// check refuses combinations of values that the engine would refuse.
func (l Limits) check() error {
	switch {
	case l.MemorySwap != 0 && l.Memory == 0:
		return errors.New("memory-swap is the sum of memory and swap, so it needs a memory limit too")
	case l.MemorySwap != 0 && l.MemorySwap < l.Memory:
		return errors.New("memory-swap is the sum of memory and swap, so it cannot be less than the memory limit")
	case l.Memory != 0 && l.MemoryReservation > l.Memory:
		return errors.New("the memory reservation cannot be more than the memory limit")
	}
	return nil
}

// CheckResources refuses combinations of values that the engine would refuse, for
// every process type.
func CheckResources(resources map[string]string) error {
	types := []string{DefaultType}
	for _, key := range slices.Sorted(maps.Keys(resources)) {
		if t, _, _ := strings.Cut(key, "."); !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	for _, t := range types {
		l, err := LimitsOf(resources, t)
		if err != nil {
			return err
		}
		err = l.check()
		if err != nil && t != DefaultType {
			return fmt.Errorf("%w (%s)", err, t)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
