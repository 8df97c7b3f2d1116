package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// entering is what the service tells the process that becomes the daemon.
type entering struct {
	Config Config
	Filter string
}

// libcni is where the networks of steps are noted. The path is not to be set.
const libcni = "/var/lib/cni"

// Enter becomes the daemon, in the namespaces that the service has made for this process. It
// waits on the standard input until the service has put it into its cgroup and network. It
// returns only if that fails.
func Enter() error {
	var e entering
	if err := json.NewDecoder(os.Stdin).Decode(&e); err != nil {
		return fmt.Errorf("cannot start the builder: %w", err)
	}
	c := e.Config
	if err := c.mounts(); err != nil {
		return fmt.Errorf("cannot start the builder: %w", err)
	}
	if err := c.network(e.Filter); err != nil {
		return fmt.Errorf("cannot keep builds from the host's network: %w", err)
	}
	if null, err := os.Open(os.DevNull); err == nil {
		unix.Dup2(int(null.Fd()), 0)
	}
	unix.Umask(0o022)
	// The service must be able to end it before the host's own programs, if memory runs out.
	os.WriteFile("/proc/self/oom_score_adj", []byte("200"), 0)
	path := c.program(Program)
	err := unix.Exec(path, []string{path, "--config", c.file("buildkitd.toml")}, os.Environ())
	return fmt.Errorf("cannot start the builder %s: %w", path, err)
}

// mounts changes what the daemon sees of the host's files.
func (c Config) mounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("cannot mount /proc: %w", err)
	}
	for from, to := range map[string]string{c.file("cni"): libcni} {
		for _, dir := range []string{from, to} {
			if err := os.MkdirAll(dir, 0o700); err != nil {
				return err
			}
		}
		if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot mount %s: %w", to, err)
		}
	}
	resolv, err := filepath.EvalSymlinks("/etc/resolv.conf")
	if err != nil {
		return err
	}
	return unix.Mount(c.file("resolv.conf"), resolv, "", unix.MS_BIND, "")
}

// network gives the daemon its address and its rules. The rules come before the route.
func (c Config) network(filter string) error {
	host, own := c.link()
	// Without IPv6 there is nothing to filter in it.
	for _, name := range []string{"all", "default"} {
		if err := setting("net/ipv6/conf/"+name+"/disable_ipv6", "1"); err != nil && !os.IsNotExist(err) {
			return err
		}
	}
	if err := setting("net/ipv4/ip_forward", "1"); err != nil {
		return err
	}
	if err := command(filter, "iptables-restore"); err != nil {
		return err
	}
	for _, line := range []string{"link set lo up", "addr add " + own.String() + " dev " + inner, "link set " + inner + " up",
		"route add default via " + host.Addr().String()} {
		if err := command("", "ip", strings.Fields(line)...); err != nil {
			return err
		}
	}
	return nil
}
