package cli

import (
	"bufio"
	"context"
	"strings"
)

// Confirm asks the user to type the name of the thing that the command will destroy. It
// reads the answer from standard input, also where that is no terminal, as Dokku does. It
// returns an error if there is no answer, or another name.
func (c *Call) Confirm(name, description string) error {
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(c.Env.Stdin).ReadString('\n')
		typed <- line
	}()
	if !c.Env.Terminal { // nobody would read a question without an answer
		line, err := answer(c.Ctx, typed)
		if err == nil && line == "" {
			err = Refuse("Cannot ask for confirmation to destroy %s: write its name to standard input, or use --force", name)
		}
		if err != nil {
			return err
		}
		typed <- line
	}
	c.Warn("WARNING: Potentially Destructive Action")
	c.Warn("This command will destroy %s.", description)
	c.Warn("To proceed, type \"%s\"", name)
	c.Print("> ")
	line, err := answer(c.Ctx, typed)
	if err == nil && strings.TrimSpace(line) != name {
		err = Refuse("Confirmation did not match %s. Aborted.", name)
	}
	return err
}

func answer(ctx context.Context, typed <-chan string) (string, error) {
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case line := <-typed:
		return line, nil
	}
}
