package cli

import (
	"bufio"
	"strings"
)

// Confirm asks the user to type the name of the thing that the command will destroy. It
// returns an error without a terminal, or if another name is typed.
func (c *Call) Confirm(name, description string) error {
	if !c.Env.Terminal {
		return Refuse("Cannot ask for confirmation to destroy %s without a terminal: use --force", name)
	}
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
		if strings.TrimSpace(line) != name {
			return Refuse("Confirmation did not match %s. Aborted.", name)
		}
	}
	return nil
}
