package docker

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/engine"
	"dokku/agent/proc"
)

// Listening implements Prober.
func (d *Engine) Listening(ctx context.Context, id string) ([]netip.AddrPort, error) {
	listening, err := d.listening(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("cannot tell on which ports container %s listens: %w", engine.Short(id), err)
	}
	return ofProcess(listening), nil
}

// resolver is where Docker's name server listens in every container of a network with a
// subnet of its own.
var resolver = netip.AddrFrom4([4]byte{127, 0, 0, 11})

// ofProcess sorts the sockets and leaves out the engine's own.
func ofProcess(sockets []netip.AddrPort) []netip.AddrPort {
	sockets = slices.DeleteFunc(sockets, func(a netip.AddrPort) bool { return a.Addr() == resolver })
	slices.SortFunc(sockets, engine.ByPort)
	return slices.Compact(sockets)
}

func (d *Engine) listening(ctx context.Context, id string) ([]netip.AddrPort, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	c, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	r, err := cli.ContainerInspect(c, id)
	if err != nil {
		return nil, d.explainContainer(c, id, err)
	}
	if r.State == nil || !r.State.Running || r.State.Pid == 0 {
		return nil, fmt.Errorf("%w (%s)", engine.ErrNotRunning, engine.Short(id))
	}
	if text, ok := sockets(d.proc, r.State.Pid, r.ID); ok {
		return proc.ParseListening(text), nil
	}
	// The engine's processes are not this machine's: it is remote, or its
	// containers live in a virtual machine. An image without cat cannot answer.
	output, _, err := d.exec(c, id, []string{"cat", "/proc/net/tcp", "/proc/net/tcp6"})
	if err != nil {
		return nil, err
	}
	if !strings.Contains(string(output), "local_address") {
		return nil, fmt.Errorf("the image has no way to read /proc/net/tcp: %s", firstLine(string(output)))
	}
	return proc.ParseListening(string(output)), nil
}

// sockets reads the table of TCP sockets in the network namespace of a
// container's first process, which any user may. It makes sure that pid is that
// process: the engine may number processes of another machine, and the kernel may have
// given the pid to another process since.
func sockets(root string, pid int, id string) (string, bool) {
	dir := filepath.Join(root, strconv.Itoa(pid))
	if !inContainer(dir, id) {
		return "", false
	}
	v4, err := os.ReadFile(filepath.Join(dir, "net/tcp"))
	if err != nil {
		return "", false
	}
	v6, _ := os.ReadFile(filepath.Join(dir, "net/tcp6")) // absent without IPv6
	return string(v4) + string(v6), true
}

// inContainer reports whether the process with this folder below /proc is one of the
// container's. Its control group tells.
func inContainer(dir, id string) bool {
	groups, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	return err == nil && strings.Contains(string(groups), id)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
