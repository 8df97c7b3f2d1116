package docker

import (
	"context"
	"dokku/agent/engine"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ListeningPorts implements Prober.
func (d *Engine) ListeningPorts(ctx context.Context, id string) ([]int, error) {
	ports, err := d.listening(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("cannot tell on which ports container %s listens: %w", engine.Short(id), err)
	}
	return ports, nil
}

func (d *Engine) listening(ctx context.Context, id string) ([]int, error) {
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
		return parseListening(text), nil
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
	return parseListening(string(output)), nil
}

// sockets reads the table of TCP sockets in the network namespace of a
// container's first process, which any user may. It makes sure that pid is that
// process: the engine may number them in another machine, and a pid may be
// somebody else's by now.
func sockets(proc string, pid int, id string) (string, bool) {
	dir := filepath.Join(proc, strconv.Itoa(pid))
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

// inContainer reports whether the process with this folder below /proc is one of
// the container's, which its control group tells.
func inContainer(dir, id string) bool {
	groups, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	return err == nil && strings.Contains(string(groups), id)
}

// parseListening reads /proc/net/tcp and tcp6 (proc_pid_net(5)): the ports of
// the sockets that listen on any address but loopback, ascending.
func parseListening(text string) []int {
	const listen = "0A" // TCP_LISTEN
	var ports []int
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[3] != listen {
			continue
		}
		host, port, _ := strings.Cut(fields[1], ":")
		addr, ok := kernelAddr(host)
		n, err := strconv.ParseUint(port, 16, 16)
		if ok && err == nil && !addr.IsLoopback() {
			ports = append(ports, int(n))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
