package command

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dokku/agent"
)

var domainCommands = []spec{
	{
		use: "domains:add APP DOMAIN...", short: "Add domains to the app",
		example: "dokku domains:add hello www.example.com example.com",
		run: func(c *call) error {
			return c.changeDomains("domains:add", (*call).addDomain)
		},
	},
	{
		use: "domains:clear APP", short: "Go back to the app's default domain",
		run: func(c *call) error { return c.clearDomains("domains:clear", "Cleared domains for %s") },
	},
	{
		use: "domains:remove APP DOMAIN...", short: "Remove domains of the app",
		words: func(c *call) []string { return c.app.State.Domains },
		run: func(c *call) error {
			return c.changeDomains("domains:remove", (*call).removeDomain)
		},
	},
	domainReport.spec("Show the app's domains"),
	{
		use: "domains:add-global DOMAIN...", short: "Add domains below which apps get theirs",
		run: func(c *call) error {
			return c.changeGlobal(func(have, given []string) ([]string, []string, error) {
				var said []string
				for _, d := range given {
					if slices.Contains(have, d) {
						said = append(said, fmt.Sprintf("Skipping: %s already added", d))
						continue
					}
					have, said = append(have, d), append(said, "Added "+d)
				}
				return have, said, nil
			})
		},
	},
	{
		use: "domains:clear-global", short: "Remove the domains below which apps get theirs",
		long: "An app without domains of its own answers to APP.HOSTNAME then.",
		run: func(c *call) error {
			return c.changeGlobal(func(_, _ []string) ([]string, []string, error) {
				return nil, []string{"Cleared global domains"}, nil
			})
		},
	},
	{
		use: "domains:disable APP", short: "Take all names away from the app",
		long: "Its own domains stay stored for domains:enable. Where it is the only app, it is still reached by the host's address.",
		run:  func(c *call) error { return c.enableDomains(false) },
	},
	{
		use: "domains:enable APP", short: "Give the app its names again",
		run: func(c *call) error { return c.enableDomains(true) },
	},
	{
		use: "domains:remove-global DOMAIN...", short: "Remove domains below which apps get theirs",
		words: func(c *call) []string { set, _ := c.server.Settings(); return set.Domains },
		run: func(c *call) error {
			return c.changeGlobal(func(have, given []string) ([]string, []string, error) {
				var said []string
				for _, d := range given {
					if !slices.Contains(have, d) {
						return nil, nil, refuse("Domain %s is not a global one, there are: %s", d, cmp.Or(strings.Join(have, " "), "none"))
					}
					have = slices.DeleteFunc(have, func(x string) bool { return x == d })
					said = append(said, "Removed "+d)
				}
				return have, said, nil
			})
		},
	},
	{
		use: "domains:reset APP", short: "Go back to the app's domains below the global ones",
		run: func(c *call) error { return c.clearDomains("domains:reset", "Reset domains for %s") },
	},
	{
		use: "domains:set APP DOMAIN...", short: "Set the app's domains to exactly these",
		run: setDomains,
	},
	{
		use: "domains:set-global DOMAIN...", short: "Set the domains below which apps get theirs",
		long: "An app without domains of its own answers to APP.DOMAIN.",
		run: func(c *call) error {
			return c.changeGlobal(func(_, given []string) ([]string, []string, error) {
				return given, []string{"Set " + strings.Join(given, " ")}, nil
			})
		},
	},
}

var domainReport = reporter{
	noun: "domains",
	global: func(c *call) (map[string]string, error) {
		set, err := c.server.Settings()
		return globalDomains(set), err
	},
	keys: []string{"domains-app-enabled", "domains-app-vhosts", "domains-global-enabled", "domains-global-vhosts"},
	collect: func(c *call, app *agent.App, _ string) (map[string]string, error) {
		set, err := c.server.Settings()
		if err != nil {
			return nil, err
		}
		domains, err := c.server.Domains(app)
		values := globalDomains(set)
		values["domains-app-enabled"] = fmt.Sprint(len(domains) > 0 && !app.State.ProxyDisabled)
		values["domains-app-vhosts"] = strings.Join(domains, " ")
		return values, err
	},
}

func globalDomains(set agent.Settings) map[string]string {
	return map[string]string{
		"domains-global-enabled": fmt.Sprint(len(set.Domains) > 0),
		"domains-global-vhosts":  strings.Join(set.Domains, " "),
	}
}

// domainArgs are the domains of the command line, each once and in lower case.
func (c *call) domainArgs() ([]string, error) {
	var list []string
	for _, arg := range c.args {
		d := strings.ToLower(arg)
		if err := checkDomain(d); err != nil {
			return nil, err
		}
		if !slices.Contains(list, d) {
			list = append(list, d)
		}
	}
	return list, nil
}

// changeDomains applies a change to the app's list, domain by domain, and then
// says what was done. The list starts with the app's names below the global
// domains: an app that gets another name keeps those it answers to, as in Dokku.
func (c *call) changeDomains(what string, change func(c *call, list []string, d string) ([]string, string, error)) error {
	domains, err := c.domainArgs()
	if err != nil {
		return err
	}
	var said []string
	log := c.events().WithApp(c.app.Name)
	err = c.server.Update(c.ctx, c.app.Name, what, log, func(st *agent.State) error {
		said = nil
		list, err := c.ownDomains(st)
		if err != nil {
			return err
		}
		for _, d := range domains {
			var text string
			if list, text, err = change(c, list, d); err != nil {
				return err
			}
			said = append(said, text)
		}
		st.Domains = list
		if what == "domains:add" {
			return c.enableAgain(st)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, text := range said {
		log.Step("%s", text)
	}
	return nil
}

func (c *call) addDomain(list []string, d string) ([]string, string, error) {
	if slices.Contains(list, d) {
		return list, fmt.Sprintf("Skipping: %s already added to %s", d, c.app.Name), nil
	}
	if err := c.free(d); err != nil {
		return nil, "", err
	}
	return append(list, d), fmt.Sprintf("Added %s to %s", d, c.app.Name), nil
}

func (c *call) removeDomain(list []string, d string) ([]string, string, error) {
	if !slices.Contains(list, d) {
		return nil, "", refuse("Domain %s is not one of app %s, which has: %s", d, c.app.Name, cmp.Or(strings.Join(list, " "), "none"))
	}
	if len(list) == 1 {
		return nil, "", refuse("Domain %s is the only one of %s: domains:set gives it another one, domains:clear the default one",
			d, c.app.Name)
	}
	rest := slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == d })
	return rest, fmt.Sprintf("Removed %s from %s", d, c.app.Name), nil
}

func setDomains(c *call) error {
	domains, err := c.domainArgs()
	if err != nil {
		return err
	}
	log := c.events().WithApp(c.app.Name)
	err = c.server.Update(c.ctx, c.app.Name, "domains:set", log, func(st *agent.State) error {
		for _, d := range domains {
			if err := c.free(d); err != nil {
				return err
			}
		}
		st.Domains = domains
		return c.enableAgain(st)
	})
	if err == nil {
		log.Step("Set %s for %s", strings.Join(domains, " "), c.app.Name)
	}
	return err
}

// ownDomains are the app's domains, without one that is only the machine's name.
func (c *call) ownDomains(st *agent.State) ([]string, error) {
	set, err := c.server.Settings()
	if err != nil || len(st.Domains) == 0 && len(set.Domains) == 0 {
		return nil, err
	}
	named := *st
	named.DomainsDisabled = false
	return c.server.Domains(&agent.App{Name: c.app.Name, Dir: c.app.Dir, State: named})
}
