package options

import (
	"fmt"
	"strconv"
	"strings"
)

// Container is what the options of a container ask for. The zero value asks for nothing.
type Container struct {
	Settings
	Mounts  []Mount
	Restart string // a policy, as docker run --restart has it; "": the app's
	Init    bool   // an init is process 1, whatever the app's setting says
	LogSize string // of a file of the log, such as "20m"; "": the app's
	// Memory and Reservation are in bytes, NanoCPUs in billionths of a CPU. 0: no limit.
	Memory, Reservation, NanoCPUs int64
}

// Settings are those that an engine takes as they are.
type Settings struct {
	Ulimits    map[string][2]int64 // soft and hard limit, by name; -1: none
	ShmSize    int64               // bytes of /dev/shm; 0: the engine's default
	Hosts      []string            // lines of /etc/hosts: "db:192.0.2.1"
	CapAdd     []string            // capabilities beside the engine's default ones
	CapDrop    []string            // capabilities that are taken away, or "ALL"
	Devices    []string            // devices of the host, as docker run has them
	Labels     map[string]string
	LogFiles   int               // files of the log; 0: the engine's default
	StopSignal string            // "": the image's
	Tmpfs      map[string]string // mount options, by path
	User       string            // "": the image's
	ReadOnly   bool              // nothing may write into the root folder
	// NoNewPrivileges: no program gets rights that its caller does not have.
	NoNewPrivileges bool
}

// Containers reads the stored options of a container. Those of own, of its process type,
// replace those of base that set the same.
func (p Phase) Containers(base, own []string) (c Container, err error) {
	list, err := p.Read(base)
	if err != nil {
		return c, err
	}
	more, err := p.Read(own)
	if err != nil {
		return c, err
	}
	targets := map[string]Option{}
	for _, o := range merged(list, more) {
		target := c.add(o)
		if other, taken := targets[target]; taken && target != "" {
			return c, fmt.Errorf("%s and %s of the %s have the same path in the container: remove one of them", other, o, p.title())
		}
		targets[target] = o
	}
	return c, nil
}

// merged returns the options of both lists; own ones win.
func merged(base, own []Option) (list []Option) {
	for _, o := range base {
		replaced := false
		for _, other := range own {
			replaced = replaced || other.Same(o)
		}
		if !replaced {
			list = append(list, o)
		}
	}
	return append(list, own...)
}

// add adds a valid option. It returns the path in the container at which the option mounts
// something, or "".
func (c *Container) add(o Option) (target string) {
	name, text, _ := strings.Cut(o.Value, "=")
	switch o.Name {
	case "--add-host":
		c.Hosts = append(c.Hosts, o.Value)
	case "--cap-add":
		c.CapAdd = append(c.CapAdd, capability(o.Value))
	case "--cap-drop":
		c.CapDrop = append(c.CapDrop, capability(o.Value))
	case "--cpus":
		c.NanoCPUs, _ = readCPUs(o.Value)
	case "--device":
		c.Devices = append(c.Devices, o.Value)
	case "--init":
		c.Init = true
	case "--label", "-l":
		put(&c.Labels, name, text)
	case "--log-opt":
		if name == "max-size" {
			c.LogSize = text
		} else {
			c.LogFiles, _ = strconv.Atoi(text)
		}
	case "--memory", "-m":
		c.Memory, _ = readMemory(o.Value)
	case "--memory-reservation":
		c.Reservation, _ = readMemory(o.Value)
	case "--mount":
		return c.mount(readMount(o.Value))
	case "--read-only":
		c.ReadOnly = true
	case "--restart":
		c.Restart = o.Value
	case "--security-opt":
		c.NoNewPrivileges = true
	case "--shm-size":
		c.ShmSize, _ = readSize(o.Value)
	case "--stop-signal":
		c.StopSignal = o.Value
	case "--tmpfs":
		_, list, _ := strings.Cut(o.Value, ":")
		put(&c.Tmpfs, o.subject(), list)
		return o.subject()
	case "--ulimit":
		u, _ := readUlimit(o.Value)
		if c.Ulimits == nil {
			c.Ulimits = map[string][2]int64{}
		}
		c.Ulimits[u.Name] = [2]int64{u.Soft, u.Hard}
	case "--user", "-u":
		c.User = o.Value
	case "--volume", "-v":
		return c.mount(readVolume(o.Value))
	}
	return ""
}

func (c *Container) mount(m Mount, _ string) (target string) {
	c.Mounts = append(c.Mounts, m)
	return m.Target
}
