package firewall

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrMissing: root's part is not installed.
var ErrMissing = errors.New("root's part of the firewall is not installed")

// A Filter has the rules put into the kernel.
type Filter interface {
	// Apply replaces all rules. ErrMissing if nobody can.
	Apply(ctx context.Context, r Rules) error
	// Check returns an error if these rules, which the last Apply had, are not in the kernel.
	Check(ctx context.Context, r Rules) error
}

// Helper is the Filter of a command that runs Root.Serve as root.
type Helper struct{ Command []string }

// DefaultCommand is that of install.sh.
var DefaultCommand = []string{"sudo", "-n", "/usr/local/lib/dokku/firewall"}

// Script returns the text of the file that the rule of sudo names: to be owned by root, in folders
// that root owns. program is this program's file, which has to be root's too.
func Script(program, name string) string {
	return fmt.Sprintf(`#!/bin/sh
# Keeps apps' containers from this host's ports. It takes data on its standard input, which the
# program parses, and no arguments.
exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C '%s' %s %s
`, strings.ReplaceAll(program, "'", `'\''`), ServeCommand, name)
}

// Apply implements Filter.
func (h Helper) Apply(ctx context.Context, r Rules) error {
	return h.ask(ctx, request{Do: doApply, Rules: r})
}

// Check implements Filter.
func (h Helper) Check(ctx context.Context, r Rules) error {
	return h.ask(ctx, request{Do: doCheck, Rules: r})
}

func (h Helper) ask(ctx context.Context, r request) error {
	program := h.Command
	if len(program) > 2 && program[0] == "sudo" && program[1] == "-n" {
		program = program[2:]
	}
	if _, err := os.Stat(program[0]); err != nil {
		return fmt.Errorf("%w (%s)", ErrMissing, program[0])
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, h.Command[0], slices.Clone(h.Command[1:])...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir, cmd.Stdin = "/", bytes.NewReader(data)
	// sudo passes TERM on to the command that it runs as root, and cannot pass on KILL.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		said := strings.TrimSpace(strings.TrimLeft(strings.TrimSpace(string(out)), "!"))
		return fmt.Errorf("the firewall's rules: %s (%w)", said[:min(len(said), 500)], err)
	}
	return nil
}
