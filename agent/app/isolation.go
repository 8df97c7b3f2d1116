package app

import (
	"cmp"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"dokku/agent/firewall"
)

// The values of State.Isolation. A later version of the program may isolate more, under a
// higher number; apps keep theirs until isolation:enable.
const (
	// IsolationOlder is that of apps which a version without isolation made.
	IsolationOlder = 0
	// IsolationContainers is that of apps whose containers have few rights, and limits.
	IsolationContainers = 1
	// IsolationNetworks is that of apps whose containers are kept from the host's ports too (package
	// firewall).
	IsolationNetworks = 2
	// IsolationNow is that of new apps.
	IsolationNow = IsolationNetworks
	// IsolationOff: somebody has switched it off (isolation:disable).
	IsolationOff = -1
)

// Isolation is how a release keeps its containers from hurting the host and other apps.
type Isolation struct {
	Version int `json:"version"` // of State.Isolation
	// Pids is how many processes and threads a container has at the same time.
	Pids int64 `json:"pids"`
	// Memory is the limit, in bytes, of a container without another one; 0: none. It is a share
	// of the memory of the server that made the release.
	Memory int64 `json:"memory,omitempty"`
}

// PropPidsLimit is the property of isolation:set that bounds the processes of a container. The
// server's is the most that an app may have.
const (
	PropPidsLimit    = "pids-limit"
	DefaultPidsLimit = "4096"
)

// The values that PropPidsLimit takes: a shell with its children, and what kernels allow.
const (
	leastPids = 16
	mostPids  = 4 << 20
)

// ParsePids parses a value of PropPidsLimit.
func ParsePids(value string) (int64, error) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < leastPids || n > mostPids {
		return 0, fmt.Errorf("%q is not a number of processes from %d to %d", value, leastPids, mostPids)
	}
	return n, nil
}

// PidsLimit returns the most processes that a container of the app may have. A value that
// somebody has stored by hand and that is none counts as the default.
func (v View) PidsLimit() int64 {
	most := v.Settings.PidsLimit()
	if own, err := ParsePids(v.State.IsolationSet[PropPidsLimit]); err == nil {
		return min(own, most)
	}
	return most
}

// PidsLimit returns the most processes that a container of any app may have.
func (set Settings) PidsLimit() int64 {
	n, err := ParsePids(cmp.Or(set.Isolation[PropPidsLimit], DefaultPidsLimit))
	if err != nil {
		n, _ = ParsePids(DefaultPidsLimit)
	}
	return n
}

// Isolated reports whether new containers of the app are isolated.
func (st *State) Isolated() bool { return st.Isolation > IsolationOlder }

// Filtered reports whether the containers of a release with these options are kept from the ports of the
// host. Those that a swarm places are not: this host's rules do not hold on others.
func (a ContainerOptions) Filtered() bool {
	return a.Isolation != nil && a.Isolation.Version >= IsolationNetworks && a.Swarm == nil
}

// Filtered reports whether new containers of the app are kept from the ports of the host.
func (v View) Filtered() bool {
	return v.State.Isolation >= IsolationNetworks && v.Scheduler() == SchedulerLocal
}

// HostPorts are the ports of the host that containers of the app reach, beside those of the web.
// A value that somebody has stored by hand and that is none opens nothing.
func (st *State) HostPorts() []firewall.Port {
	if st.Network[NetworkHostPorts] == "" {
		return nil
	}
	ports, err := firewall.ParsePorts(st.Network[NetworkHostPorts])
	if err != nil {
		return nil
	}
	return ports
}

// isolation returns the isolation of the next release; nil: it has none. A swarm has other
// machines, whose memory this one does not know.
func (v View) isolation() *Isolation {
	if !v.State.Isolated() {
		return nil
	}
	i := &Isolation{Version: v.State.Isolation, Pids: v.PidsLimit()}
	if v.Scheduler() == SchedulerLocal {
		i.Memory = MemoryShare(hostMemory())
	}
	return i
}

// hostMemory is the memory of this server in bytes, 0 if it cannot be told.
var hostMemory = func() int64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int64(info.Totalram) * int64(info.Unit)
}

// leastShare is the memory that a container gets where the server has it: half of a small
// server's is too little for common frameworks.
const leastShare = 512 << 20

// MemoryShare returns the default limit of a container on a server with so much memory: half of
// it, at least 512 MB, and at most three quarters. Both are in bytes.
func MemoryShare(total int64) int64 {
	return min(max(total/2, leastShare), total/4*3) >> 20 << 20
}

// limit adds the isolation's limits to those of a container that are set.
func (i *Isolation) limit(l *Limits) {
	if i == nil {
		return
	}
	l.Pids = i.Pids
	if l.Memory == 0 && i.Memory > 0 {
		l.Memory = max(i.Memory, l.MemoryReservation)
	}
	// Without a value, the engine lets it use as much swap as memory.
	if l.MemorySwap == 0 {
		l.MemorySwap = l.Memory
	}
}
