package routing

import (
	"errors"
	"slices"
	"strings"

	"dokku/agent"
	"dokku/agent/command/cli"
)

// checkDomain accepts host names (RFC 1123). The first part may be "*".
func checkDomain(d string) error {
	host := strings.TrimPrefix(d, "*.")
	if len(d) > 253 {
		return cli.Refuse("Invalid domain %q: it has more than 253 characters", cli.OneLine(d))
	}
	for part := range strings.SplitSeq(host, ".") {
		if part == "" || len(part) > 63 || strings.Trim(part, domainLetters) != "" || strings.Trim(part, "-") != part {
			return cli.Refuse("Invalid domain %q: it needs parts of letters, digits and - between dots "+
				"(international names in their xn-- form)", cli.OneLine(d))
		}
	}
	return nil
}

const domainLetters = "abcdefghijklmnopqrstuvwxyz0123456789-"

// checkFree refuses a domain that another app answers to.
func checkFree(c *cli.Call, d string) error {
	apps, err := c.Server.Apps()
	if err != nil {
		return err
	}
	for _, name := range apps {
		if name == c.App.Name {
			continue
		}
		other, err := c.Server.Load(name)
		if errors.As(err, new(*agent.NoAppError)) {
			continue // destroyed since it was listed
		}
		if err != nil {
			return err
		}
		taken, err := c.Server.Domains(other)
		if err != nil {
			return err
		}
		if slices.Contains(taken, d) {
			return cli.Refuse("Domain %s belongs to app %s: remove it there first (domains:remove %s %s)", d, name, name, d)
		}
	}
	return nil
}

// enableAgain undoes domains:disable. It refuses a name that another app has got
// meanwhile.
func enableAgain(c *cli.Call, st *agent.State) error {
	if !st.DomainsDisabled {
		return nil
	}
	st.DomainsDisabled = false
	names, err := c.Server.Domains(&agent.App{Name: c.App.Name, State: *st})
	if err != nil {
		return err
	}
	for _, d := range names {
		if err := checkFree(c, d); err != nil {
			return err
		}
	}
	return nil
}

// defaultsFree refuses global domains that would give an app the name that
// another app has.
func defaultsFree(c *cli.Call, apps, domains []string) error {
	taken := map[string]string{}
	for _, name := range apps {
		app, err := c.Server.Load(name)
		if err != nil {
			return err
		}
		for _, d := range app.State.Domains {
			taken[d] = name
		}
	}
	for _, name := range apps {
		for _, d := range domains {
			if owner := taken[name+"."+d]; owner != "" && owner != name {
				return cli.Refuse("Domain %s.%s of app %s would belong to app %s too: remove it there first", name, d, owner, name)
			}
		}
	}
	return nil
}
