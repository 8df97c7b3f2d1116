package command

import (
	"bufio"
	"errors"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent"
)

var appCommands = []spec{
	{
		use: "apps:create APP", short: "Create an app; its first push would too",
		newApp: true, run: runCreate,
	},
	{
		use: "apps:destroy APP", short: "Remove an app, with all it has",
		long: "The app's name has to be typed, unless --force is given.",
		flags: func(f *pflag.FlagSet) {
			f.Bool("force", false, "do not ask")
		},
		run: runDestroy,
	},
	{
		use: "apps:exists APP", short: "Exit with 0 if the app exists, else with 20",
		run: func(*call) error { return nil },
	},
	{use: "apps:list", short: "List all apps", run: runList},
}

func runCreate(c *call) error {
	name := c.args[0]
	if err := agent.ValidName(name); err != nil {
		return err
	}
	_, err := c.server.Load(name)
	var none *agent.NoAppError
	switch {
	case err == nil:
		return refuse("Name is already taken: app %s exists", name)
	case !errors.As(err, &none):
		return err
	}
	c.events().WithApp(name).Step("Creating %s...", name)
	return c.server.Create(c.ctx, name, false)
}

func runDestroy(c *call) error {
	name := c.app.Name
	if !c.force && !c.flag("force") {
		if err := confirm(c, name, "app "+name+", with its containers, images, settings and repository"); err != nil {
			return err
		}
	}
	log := c.events().WithApp(name)
	log.Step("Destroying %s (including all add-ons)", name)
	if err := c.server.Destroy(c.ctx, name, log); err != nil {
		return err
	}
	for _, what := range c.kept(c.app) {
		log.Detail("Kept: %s", what)
	}
	return nil
}

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

func runList(c *call) error {
	apps, err := c.apps()
	if err != nil {
		return err
	}
	if c.headings() {
		c.print("=====> My Apps\n")
	}
	for _, app := range apps {
		c.print("%s\n", app)
	}
	return nil
}
