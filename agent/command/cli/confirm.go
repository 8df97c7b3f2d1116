package cli

import (
	"bufio"
	"strings"
)

// Confirm asks the user to type the name of the thing that the command will destroy. It
// reads the answer from standard input, also where that is no terminal, as Dokku does. It
// returns an error if there is no answer, or another name.
func (c *Call) Confirm(name, description string) error {
	c.Warn("WARNING: Potentially Destructive Action")
	c.Warn("This command will destroy %s.", description)
	c.Warn("To proceed, type \"%s\"", name)
	c.Print("> ")
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(c.Env.Stdin).ReadString('\n')
		typed <- line
	}()
	select {
	case <-c.Ctx.Done():
		return c.Ctx.Err()
	case line := <-typed:
		switch {
		case line == "" && !c.Env.Terminal:
			return Refuse("Cannot ask for confirmation to destroy %s: write its name to standard input, or use --force", name)
		case strings.TrimSpace(line) != name:
			return Refuse("Confirmation did not match %s. Aborted.", name)
		}
		return nil
	}
}
