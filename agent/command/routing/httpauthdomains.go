package routing

import (
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/command/cli"
)

// appDomains are the words that complete a domain of the app.
func appDomains(c *cli.Call) []string {
	v, err := c.View(c.App)
	if err != nil {
		return nil
	}
	return v.Domains()
}

// listedDomains are those at which visitors are asked for a password.
func listedDomains(c *cli.Call) []string {
	if c.App.State.Auth == nil {
		return nil
	}
	return c.App.State.Auth.Domains
}

// givenDomains returns the domains of the command line, which have to be the app's: a
// mistyped one would leave the domain that was meant without a password.
func givenDomains(c *cli.Call) ([]string, error) {
	given, err := domainArgs(c)
	if err != nil {
		return nil, err
	}
	have := appDomains(c)
	for _, d := range given {
		if !slices.Contains(have, d) {
			return nil, cli.Refuse("%s is no domain of %s: dokku domains:add %[2]s %[1]s adds it", d, c.App.Name)
		}
	}
	return given, nil
}

func addAuthDomains(c *cli.Call) error {
	given, err := givenDomains(c)
	if err != nil {
		return err
	}
	c.Events().WithApp(c.App.Name).Step("Adding %s to the domains with basic auth", strings.Join(given, " "))
	return changeAuth(c, "http-auth:add-domain", "", func(a *app.Auth) error {
		a.Enabled, a.Domains = true, sortedSet(a.Domains, given)
		return nil
	})
}

func removeAuthDomains(c *cli.Call) error {
	given, err := domainArgs(c)
	if err != nil {
		return err
	}
	log := c.Events().WithApp(c.App.Name)
	listed := listedDomains(c)
	for _, d := range given {
		if !slices.Contains(listed, d) {
			return cli.Refuse("%s is not in the list of %s: dokku http-auth:report %[2]s --http-auth-domains shows it", d, c.App.Name)
		}
	}
	log.Step("Removing %s from the domains with basic auth", strings.Join(given, " "))
	return changeAuth(c, "http-auth:remove-domain", "", func(a *app.Auth) error {
		a.Domains = slices.DeleteFunc(a.Domains, func(d string) bool { return slices.Contains(given, d) })
		if len(a.Domains) == 0 && a.Enabled {
			log.Detail("Visitors are asked at all domains of %s", c.App.Name)
		}
		return nil
	})
}

func setAuthDomains(c *cli.Call) error {
	given, err := givenDomains(c)
	if err != nil {
		return err
	}
	log := c.Events().WithApp(c.App.Name)
	if len(given) == 0 {
		log.Step("Clearing the domains with basic auth")
	} else {
		log.Step("Setting the domains with basic auth to %s", strings.Join(given, " "))
	}
	return changeAuth(c, "http-auth:set-domains", "", func(a *app.Auth) error {
		if a.Domains = sortedSet(given); len(given) > 0 {
			a.Enabled = true
		}
		return nil
	})
}

// sortedSet returns what the lists have, sorted; nil for nothing.
func sortedSet(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}
