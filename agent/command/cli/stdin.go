package cli

import (
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// maxPassword is more than any password or token needs, in bytes.
const maxPassword = 64 << 10

// ReadPassword reads a password from standard input, without the end of its line; "" if
// that is a terminal.
func (c *Call) ReadPassword() (string, error) {
	if c.Env.Stdin == nil || AtTerminal(c.Env.Stdin) {
		return "", nil
	}
	data, err := io.ReadAll(io.LimitReader(c.Env.Stdin, maxPassword))
	return strings.TrimRight(string(data), "\r\n"), err
}

// AtTerminal reports whether somebody types what is read.
func AtTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
