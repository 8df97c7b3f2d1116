package docker

import (
	"context"
	"dokku/agent/engine"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
)

// Processes implements Inspector.
func (d *Engine) Processes(ctx context.Context, id, args string) ([]string, [][]string, error) {
	top, err := d.top(ctx, id, args)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot list the processes of container %s: %w", engine.Short(id), err)
	}
	return top.Titles, top.Processes, nil
}

func (d *Engine) top(ctx context.Context, id, args string) (container.TopResponse, error) {
	if args != "" {
		if top, ok := d.hostTop(ctx, id, args); ok {
			return top, nil
		}
	}
	cli, err := d.connect(ctx)
	if err != nil {
		return container.TopResponse{}, err
	}
	ctx, cancel := engine.Within(ctx, engine.QuickCall)
	defer cancel()
	var arguments []string
	if args != "" {
		arguments = []string{args}
	}
	top, err := cli.ContainerTop(ctx, id, arguments)
	return top, d.explainContainer(ctx, id, err)
}

// hostTop does what the engine does to answer the same question, without its
// way over containerd, which takes three times as long: it runs the host's ps and
// keeps the container's processes, which their control group tells. It finds none
// where the engine's processes are not this machine's, or are hidden from this
// user, or the container does not run.
func (d *Engine) hostTop(ctx context.Context, id, args string) (top container.TopResponse, ok bool) {
	if len(id) < fullID {
		return top, false
	}
	// Calls at the same time share one run of ps.
	out, err, _ := d.ps.Do(args, func() (any, error) { return exec.CommandContext(ctx, "ps", args).Output() })
	if err != nil {
		return top, false
	}
	lines := strings.Split(strings.TrimSpace(string(out.([]byte))), "\n")
	top.Titles = strings.Fields(lines[0])
	pid := slices.Index(top.Titles, "PID")
	if pid < 0 {
		return top, false
	}
	for _, line := range lines[1:] {
		row := columns(line, len(top.Titles))
		if len(row) == len(top.Titles) && inContainer(filepath.Join(d.proc, row[pid]), id) {
			top.Processes = append(top.Processes, row)
		}
	}
	return top, len(top.Processes) > 0
}

// fullID is the length of a container's id; a shorter one could be part of
// another word.
const fullID = 64

// columns splits a line at white space into n columns; the last one takes the rest.
func columns(line string, n int) []string {
	fields := strings.Fields(line)
	if len(fields) <= n {
		return fields
	}
	return append(fields[:n-1:n-1], strings.Join(fields[n-1:], " "))
}
