package daemon

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// Program is the name of the daemon, as the module buildkitd has it built.
const Program = "buildkitd"

// Config is one daemon of a server.
type Config struct {
	// Name is that of the service, such as "dokku-builder": of its folders, its cgroup and
	// its rules.
	Name string
	// Programs is the folder of the daemon and of the programs that make the networks of
	// steps; Runtime the path of runc.
	Programs, Runtime string
	// State is the daemon's own folder, and Run the folder of its socket. Only root may have
	// rights to the folders that they are in.
	State, Run string
	// UID and GID are the user and the group that may use the socket.
	UID, GID int
	// Settings are what the server's administrator sets.
	Settings Settings
}

// Settings of a daemon.
type Settings struct {
	// Memory and Cache are in bytes, CPUs in processors; 0: no limit. Processes counts
	// threads too.
	Memory, Cache int64
	CPUs          float64
	Processes     int64
	// Allowed are networks that builds reach although they are private, or the host's own.
	Allowed []netip.Prefix
	// Frontends are the images that may read a Dockerfile.
	Frontends []string
}

// Socket is the path of the socket of the service of a name.
func Socket(name string) string { return filepath.Join("/run", name, "buildkitd.sock") }

// HostAddress is the host's address in the daemon's network.
func (c Config) HostAddress() netip.Addr {
	host, _ := c.link()
	return host.Addr()
}

func (c Config) socket() string             { return filepath.Join(c.Run, "buildkitd.sock") }
func (c Config) file(name string) string    { return filepath.Join(c.State, name) }
func (c Config) program(name string) string { return filepath.Join(c.Programs, name) }

// device is the host's end of the daemon's network. Its name has at most 15 characters.
func (c Config) device() string {
	sum := sha256.Sum256([]byte(c.Name))
	return fmt.Sprintf("build%x", sum[:5])
}

// link are the addresses of the host's end and of the daemon's, of the range for benchmarks
// (RFC 2544), which no network uses. They differ from one daemon to another.
func (c Config) link() (host, own netip.Prefix) {
	sum := sha256.Sum256([]byte(c.Name))
	base := uint32(198)<<24 | uint32(18)<<16 | uint32(binary.BigEndian.Uint16(sum[:2])&^3)
	address := func(n uint32) netip.Prefix {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], base+n)
		return netip.PrefixFrom(netip.AddrFrom4(b), 30)
	}
	return address(1), address(2)
}

// steps is the network of the steps, inside the daemon's own.
const steps = "198.19.0.0/16"

// toml is the daemon's configuration.
func (c Config) toml() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Written by dokku at each start.")
	line("root = %q", c.file("data"))
	line("insecure-entitlements = []")
	line("[grpc]\n  address = [%q]\n  uid = %d\n  gid = %d", "unix://"+c.socket(), c.UID, c.GID)
	line("[otel]\n  socketPath = %q", filepath.Join(c.State, "otel.sock"))
	line("[cdi]\n  disabled = true")
	line("[frontend.%q]\n  enabled = true", "dockerfile.v0")
	// Without a list, all images may.
	line("[frontend.%q]\n  enabled = true\n  allowedRepositories = [%s]", "gateway.v0", quoted(c.Settings.Frontends))
	line("[worker.containerd]\n  enabled = false")
	line("[worker.oci]\n  enabled = true\n  snapshotter = \"auto\"\n  rootless = false\n  noProcessSandbox = false\n  binary = %q", c.Runtime)
	line("  networkMode = \"cni\"\n  cniConfigPath = %q\n  cniBinaryPath = %q\n  cniPoolSize = 0", c.file("network.json"), c.Programs)
	line("  defaultCgroupParent = %q", filepath.Join("/", c.Name, cgroupSteps))
	if c.Settings.Cache > 0 {
		line("  gc = true\n  reservedSpace = %d\n  maxUsedSpace = %d", c.Settings.Cache/10, c.Settings.Cache)
	}
	return b.String()
}

func quoted(list []string) string {
	var words []string
	for _, w := range list {
		words = append(words, fmt.Sprintf("%q", w))
	}
	return strings.Join(words, ", ")
}

// cni is the configuration of a step's network: a pair of devices of its own, so that steps
// share no network with each other.
func (c Config) cni() string {
	return fmt.Sprintf(`{
  "cniVersion": "1.0.0",
  "name": "build",
  "type": "ptp",
  "ipMasq": false,
  "ipam": {
    "type": "host-local",
    "dataDir": %q,
    "ranges": [[{"subnet": %q}]],
    "routes": [{"dst": "0.0.0.0/0"}]
  }
}
`, c.file("addresses"), steps)
}

// check refuses a configuration that could not be told from another one in rules and paths.
func (c Config) check() error {
	if c.Name == "" || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("%q is no name of a service", c.Name)
	}
	for _, path := range []string{c.Programs, c.Runtime, c.State, c.Run} {
		if !filepath.IsAbs(path) {
			return fmt.Errorf("%q is no path from the root", path)
		}
	}
	if len(c.Settings.Frontends) == 0 {
		return fmt.Errorf("internal error: no image may read a Dockerfile, which the daemon takes for all")
	}
	if slices.ContainsFunc(c.Settings.Allowed, func(p netip.Prefix) bool { return !p.Addr().Is4() }) {
		return fmt.Errorf("only networks of IPv4 can be allowed: builds have no IPv6")
	}
	return nil
}
