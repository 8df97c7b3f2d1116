package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// inner is the daemon's end of its network, in its own namespace.
const inner = "eth0"

// public are the servers of DNS for a host that has only one of its own, as Docker's.
var public = []string{"8.8.8.8", "8.8.4.4"}

// resolvers returns a resolv.conf that works in another network namespace, and its servers of
// IPv4. A host whose resolver listens on a loopback address has the real servers in
// systemd's file.
func resolvers(etc, systemd string) (text string, names []netip.Addr) {
	for _, file := range []string{etc, systemd, "nameserver " + strings.Join(public, "\nnameserver ")} {
		var kept []string
		names = nil
		for line := range strings.Lines(file) {
			words := strings.Fields(line)
			if len(words) < 2 || strings.HasPrefix(words[0], "#") || strings.HasPrefix(words[0], ";") {
				continue
			}
			if words[0] != "nameserver" {
				kept = append(kept, strings.Join(words, " "))
				continue
			}
			a, err := netip.ParseAddr(words[1])
			if err != nil || !a.Is4() || a.IsLoopback() || a.IsUnspecified() {
				continue
			}
			names = append(names, a)
			kept = append(kept, "nameserver "+a.String())
		}
		if text = strings.Join(kept, "\n") + "\n"; len(names) > 0 {
			return text, names
		}
	}
	return text, names
}

// hostAddresses are the addresses of this host but those of loopback and of the daemon's own
// device: services that listen on all of them are the host's.
func hostAddresses(c Config) (list []netip.Addr, err error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 || i.Name == c.device() {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			continue // it is gone
		}
		for _, a := range addresses {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
				list = append(list, p.Addr())
			}
		}
	}
	return list, nil
}

// connect makes the pair of devices that connects the daemon, whose process is in its own
// network namespace, with the host.
func (c Config) connect(pid int) error {
	host, _ := c.link()
	// One that another daemon of this name left, which was killed.
	command("", "ip", "link", "del", c.device())
	for _, line := range []string{
		"link add " + c.device() + " type veth peer name " + inner + " netns " + strconv.Itoa(pid),
		"addr add " + host.String() + " dev " + c.device(),
		"link set " + c.device() + " up",
	} {
		if err := command("", "ip", strings.Fields(line)...); err != nil {
			return fmt.Errorf("cannot connect builds with the network: %w", err)
		}
	}
	return setting("net/ipv4/ip_forward", "1")
}

// setting writes a setting of the kernel, in the network namespace of this process.
func setting(name, value string) error {
	return os.WriteFile("/proc/sys/"+name, []byte(value), 0)
}

// path are the folders of the host's programs. Those of the caller's environment are not asked.
const path = "/usr/sbin:/usr/bin:/sbin:/bin"

// command runs a program of the host.
func command(input, program string, args ...string) error {
	cmd := exec.Command(program, args...)
	for dir := range strings.SplitSeq(path, ":") {
		if _, err := os.Stat(filepath.Join(dir, program)); err == nil {
			cmd = exec.Command(filepath.Join(dir, program), args...)
			break
		}
	}
	cmd.Env = []string{"PATH=" + path}
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w: %s", program, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// iptables changes or checks (-C) a rule.
func (r rule) iptables(verb string, at ...string) error {
	args := append([]string{"-w", "10", "-t", r.table, verb, r.chain}, at...)
	return command("", "iptables", append(args, r.match...)...)
}

// ensure puts the rules on top of their chains, in their order, unless all are there.
func ensure(rules []rule) error {
	missing := false
	for _, r := range rules {
		missing = missing || r.iptables("-C") != nil
	}
	if !missing {
		return nil
	}
	remove(rules)
	var err error
	for i := len(rules) - 1; i >= 0; i-- {
		err = errors.Join(err, rules[i].iptables("-I", "1"))
	}
	if err != nil {
		return fmt.Errorf("cannot keep builds from the host's network: %w", err)
	}
	return nil
}

// remove removes the rules, those too that are there more than once.
func remove(rules []rule) {
	for _, r := range rules {
		for r.iptables("-D") == nil {
		}
	}
}
