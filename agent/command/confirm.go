package command

import (
	"bufio"
	"strings"
)

// confirm has the name of what is to be destroyed typed.
func confirm(c *call, name, what string) error {
	if !c.env.Terminal {
		return refuse("Cannot ask whether to destroy %s, since there is no terminal: use --force", name)
	}
	c.warn("WARNING: Potentially Destructive Action")
	c.warn("This command will destroy %s.", what)
	c.warn("To proceed, type \"%s\"", name)
	c.print("> ")
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(c.env.Stdin).ReadString('\n')
		typed <- line
	}()
	select {
	case <-c.ctx.Done():
		return c.ctx.Err()
	case line := <-typed:
		if strings.TrimSpace(line) != name {
			return refuse("Confirmation did not match %s. Aborted.", name)
		}
	}
	return nil
}
