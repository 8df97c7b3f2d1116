package routing

import (
	"fmt"
	"slices"
	"strings"

	"dokku/agent"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

// changeGlobal changes the domains below which apps get theirs, and gives the
// apps that have none of their own their new names. change gets a copy of the
// present domains; it returns the new ones and the lines to print afterwards.
func changeGlobal(c *cli.Call, change func(have, given []string) (domains, said []string, err error)) error {
	given, err := domainArgs(c)
	if err != nil {
		return err
	}
	for _, d := range given {
		if strings.HasPrefix(d, "*.") {
			return cli.Refuse("Invalid domain %q: apps get names below it, so leave out the *.", d)
		}
	}
	apps, err := c.Server.Apps()
	if err != nil {
		return err
	}
	set, err := c.Settings()
	if err != nil {
		return err
	}
	// Errors that show already are reported before anything is locked or written.
	domains, said, err := change(slices.Clone(set.Domains), given)
	if err == nil {
		err = defaultsFree(c, apps, domains)
	}
	if err != nil {
		return err
	}
	log := c.Events()
	err = c.Server.UpdateSettings(c.Ctx, func(set *agent.Settings) error {
		domains, text, err := change(slices.Clone(set.Domains), given)
		if err != nil {
			return err
		}
		said, set.Domains = text, domains
		return defaultsFree(c, apps, domains)
	})
	if err != nil {
		return err
	}
	for _, text := range said {
		log.Step("%s", text)
	}
	return routeAgain(c, apps, log)
}

// clearDomains forgets the app's own domains.
func clearDomains(c *cli.Call, what, text string) error {
	log := c.Events().WithApp(c.App.Name)
	err := c.Server.Update(c.Ctx, c.App.Name, what, log, func(st *agent.State) error {
		st.Domains = nil
		return nil
	})
	if err == nil {
		log.Step(text, c.App.Name)
	}
	return err
}

// enableDomains gives the app its names, or takes them away.
func enableDomains(c *cli.Call, on bool) error {
	log := c.Events().WithApp(c.App.Name)
	word, said := "disabled", "Disabling domains (VHOST) support for app (%s)"
	if on {
		word, said = "enabled", "Enabling domains (VHOST) support for app (%s)"
	}
	if c.App.State.DomainsDisabled != on {
		log.Step("Domains (VHOST) support is already %s for app (%s)", word, c.App.Name)
		return nil
	}
	err := c.Server.Update(c.Ctx, c.App.Name, "domains", log, func(st *agent.State) error {
		if on {
			return enableAgain(c, st)
		}
		st.DomainsDisabled = true
		return nil
	})
	if err == nil {
		log.Step(said, c.App.Name)
	}
	return err
}

// routeAgain publishes the new names of the apps that have none of their own.
func routeAgain(c *cli.Call, apps []string, log event.Log) error {
	for _, name := range apps {
		app, err := c.Server.Load(name)
		if err != nil {
			return err
		}
		if len(app.State.Domains) > 0 || !app.Deployed() {
			continue
		}
		same := func(*agent.State) error { return nil }
		if err := c.Server.Update(c.Ctx, name, "domains:set-global", log.WithApp(name), same); err != nil {
			return fmt.Errorf("cannot give %s its new names: %w", name, err)
		}
	}
	return nil
}
