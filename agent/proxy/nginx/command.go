package nginx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// maxSaid is how much of a command's output is kept, in bytes.
const maxSaid = 4 << 10

// run runs a command of the configuration. It returns the output, which is in
// the error too.
func (n *Proxy) run(ctx context.Context, argv []string) (string, error) {
	if len(argv) == 0 {
		return "", errors.New("the nginx command is not configured")
	}
	ctx, cancel := context.WithTimeout(ctx, n.config.Timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	// sudo passes TERM on to the command that it runs as root, and cannot pass on KILL.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 2 * time.Second
	out := &head{}
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	text := printable(out.String())
	switch {
	case err == nil:
		return text, nil
	case ctx.Err() != nil:
		return text, fmt.Errorf("%s did not end within %s: %w", strings.Join(argv, " "), n.config.Timeout, ctx.Err())
	case text == "":
		return text, fmt.Errorf("%s: %w", strings.Join(argv, " "), err)
	}
	return text, fmt.Errorf("%s (%w)", text, err)
}

// head keeps the beginning of the text that is written to it.
type head struct{ bytes.Buffer }

func (h *head) Write(p []byte) (int, error) {
	h.Buffer.Write(p[:min(len(p), maxSaid-h.Len())])
	return len(p), nil
}

// printable removes characters that could move a terminal's cursor, and lines that
// report a success.
func printable(s string) string {
	var lines []string
	for line := range strings.Lines(s) {
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return ' '
		}, line))
		if line != "" && !strings.HasSuffix(line, "signal process started") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}
