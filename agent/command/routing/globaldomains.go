package routing

import (
	"strings"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/proxy"
)

// changeGlobal changes the global domains and publishes the new names of apps without
// domains of their own. change gets a copy of the present domains; it returns the new
// ones and the lines to print afterwards.
func changeGlobal(c *cli.Call, change func(have, given []string) (domains, said []string, err error)) error {
	given, err := domainArgs(c)
	if err != nil {
		return err
	}
	for _, d := range given {
		if strings.HasPrefix(d, "*.") {
			return cli.Refuse("Invalid domain %q: leave out the *., since apps get names below it", d)
		}
		if d == proxy.CatchAll {
			return cli.Refuse("Invalid domain %q: apps get names below a global domain; domains:add APP %s lets one app answer everything", d, d)
		}
	}
	var said []string
	log := c.Events()
	err = c.Server.SetGlobalDomains(c.Ctx, func(have []string) (domains []string, err error) {
		domains, said, err = change(have, given)
		return domains, err
	}, log)
	if err != nil {
		return err
	}
	for _, text := range said {
		log.Step("%s", text)
	}
	return c.Server.PublishDomains(c.Ctx, log)
}

// clearDomains removes the app's own domains. none: it has no default ones then either.
func clearDomains(c *cli.Call, op string, none bool, text string) error {
	log := c.Events().WithApp(c.App.Name)
	err := c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: op, Changes: deploy.ChangesNames}, log, func(st *app.State) error {
		st.Domains, st.NoDomains = nil, none
		if none {
			return nil
		}
		v, err := c.View(c.App)
		if err != nil {
			return err
		}
		return c.Server.DomainsFree(c.App.Name, v.With(*st).Domains()...)
	})
	if err == nil {
		log.Step(text, c.App.Name)
	}
	return err
}

// enableDomains lets the app answer to its names, or stops it.
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
	err := c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: "domains", Changes: deploy.ChangesNames}, log, func(st *app.State) error {
		if on {
			return enable(c, st)
		}
		st.DomainsDisabled = true
		return nil
	})
	if err == nil {
		log.Step(said, c.App.Name)
	}
	return err
}

// enable undoes domains:disable in st.
func enable(c *cli.Call, st *app.State) error {
	v, err := c.View(c.App)
	if err != nil {
		return err
	}
	return c.Server.EnableDomains(v, st)
}
