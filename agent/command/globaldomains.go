package command

import (
	"fmt"
	"slices"
	"strings"

	"dokku/agent"
	"dokku/agent/event"
)

// changeGlobal changes the domains below which apps get theirs, and gives the
// apps that have none of their own their new names. change gets a copy of what
// they are, and returns what to say once they are others.
func (c *call) changeGlobal(change func(have, given []string) (domains, said []string, err error)) error {
	given, err := c.domainArgs()
	if err != nil {
		return err
	}
	for _, d := range given {
		if strings.HasPrefix(d, "*.") {
			return refuse("Invalid domain %q: apps get names below it, so leave out the *.", d)
		}
	}
	apps, err := c.server.Apps()
	if err != nil {
		return err
	}
	set, err := c.server.Settings()
	if err != nil {
		return err
	}
	// What is wrong by now is found before anything is locked or written.
	domains, said, err := change(slices.Clone(set.Domains), given)
	if err == nil {
		err = c.defaultsFree(apps, domains)
	}
	if err != nil {
		return err
	}
	log := c.events()
	err = c.server.UpdateSettings(c.ctx, func(set *agent.Settings) error {
		domains, text, err := change(slices.Clone(set.Domains), given)
		if err != nil {
			return err
		}
		said, set.Domains = text, domains
		return c.defaultsFree(apps, domains)
	})
	if err != nil {
		return err
	}
	for _, text := range said {
		log.Step("%s", text)
	}
	return c.routeAgain(apps, log)
}

// clearDomains forgets the app's own domains.
func (c *call) clearDomains(what, text string) error {
	log := c.events().WithApp(c.app.Name)
	err := c.server.Update(c.ctx, c.app.Name, what, log, func(st *agent.State) error {
		st.Domains = nil
		return nil
	})
	if err == nil {
		log.Step(text, c.app.Name)
	}
	return err
}

// enableDomains gives the app its names, or takes them away.
func (c *call) enableDomains(on bool) error {
	log := c.events().WithApp(c.app.Name)
	word, said := "disabled", "Disabling domains (VHOST) support for app (%s)"
	if on {
		word, said = "enabled", "Enabling domains (VHOST) support for app (%s)"
	}
	if c.app.State.DomainsDisabled != on {
		log.Step("Domains (VHOST) support is already %s for app (%s)", word, c.app.Name)
		return nil
	}
	err := c.server.Update(c.ctx, c.app.Name, "domains", log, func(st *agent.State) error {
		if on {
			return c.enableAgain(st)
		}
		st.DomainsDisabled = true
		return nil
	})
	if err == nil {
		log.Step(said, c.app.Name)
	}
	return err
}

// routeAgain publishes the new names of the apps that have none of their own.
func (c *call) routeAgain(apps []string, log event.Log) error {
	for _, name := range apps {
		app, err := c.server.Load(name)
		if err != nil {
			return err
		}
		if len(app.State.Domains) > 0 || !app.Deployed() {
			continue
		}
		same := func(*agent.State) error { return nil }
		if err := c.server.Update(c.ctx, name, "domains:set-global", log.WithApp(name), same); err != nil {
			return fmt.Errorf("cannot give %s its new names: %w", name, err)
		}
	}
	return nil
}
