package routing

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/letsencrypt"
)

// Commands are the commands of this package.
var Commands = slices.Concat(domainCommands, portCommands, oldPortCommands, proxyCommands, nginxCommands, networkCommands, urlCommands, certCommands, globalCertCommands, letsencryptCommands,
	maintenanceCommands, redirectCommands, httpAuthCommands, otherProxies, oldNames())

var domainCommands = []cli.Spec{
	{
		Use: "domains:add APP DOMAIN...", Role: cli.Operator, Short: "Add domains to the app",
		Example: "dokku domains:add hello www.example.com example.com",
		Run: func(c *cli.Call) error {
			return changeDomains(c, "domains:add", addDomain)
		},
	},
	{
		Use: "domains:clear APP", Role: cli.Operator, Short: "Remove all domains of the app, its default ones too",
		Run: func(c *cli.Call) error { return clearDomains(c, "domains:clear", true, "Cleared domains in %s") },
	},
	{
		Use: "domains:remove APP DOMAIN...", Role: cli.Operator, Short: "Remove domains of the app",
		Words: func(c *cli.Call) []string { return c.App.State.Domains },
		Run: func(c *cli.Call) error {
			return changeDomains(c, "domains:remove", removeDomain)
		},
	},
	domainReport.Spec("Show the app's domains"),
	{
		Use: "domains:add-global DOMAIN...", Role: cli.Admin, Short: "Add global domains: apps get names below them",
		Run: func(c *cli.Call) error {
			return changeGlobal(c, func(have, given []string) ([]string, []string, error) {
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
		Use: "domains:clear-global", Role: cli.Admin, Short: "Remove all global domains",
		Long: "Apps without domains of their own then answer to APP.HOSTNAME.",
		Run: func(c *cli.Call) error {
			return changeGlobal(c, func(_, _ []string) ([]string, []string, error) {
				return nil, []string{"Cleared global domains"}, nil
			})
		},
	},
	{
		Use: "domains:disable APP", Role: cli.Operator, Short: "Remove all names of the app from the proxy",
		Long: "Its domains stay stored for domains:enable. The only app of a server still answers at the host's address.",
		Run:  func(c *cli.Call) error { return enableDomains(c, false) },
	},
	{
		Use: "domains:enable APP", Role: cli.Operator, Short: "Let the app answer to its names again",
		Run: func(c *cli.Call) error { return enableDomains(c, true) },
	},
	{
		Use: "domains:remove-global DOMAIN...", Role: cli.Admin, Short: "Remove global domains",
		Words: func(c *cli.Call) []string { set, _ := c.Settings(); return set.Domains },
		Run: func(c *cli.Call) error {
			return changeGlobal(c, func(have, given []string) ([]string, []string, error) {
				var said []string
				for _, d := range given {
					if !slices.Contains(have, d) {
						return nil, nil, cli.Refuse("Domain %s is not a global domain; the global domains are: %s", d, cmp.Or(strings.Join(have, " "), "none"))
					}
					have = slices.DeleteFunc(have, func(x string) bool { return x == d })
					said = append(said, "Removed "+d)
				}
				return have, said, nil
			})
		},
	},
	{
		Use: "domains:reset APP", Role: cli.Operator, Short: "Go back to the app's default domains: those below the global ones",
		Run: func(c *cli.Call) error { return clearDomains(c, "domains:reset", false, "Reset domains for %s") },
	},
	{
		Use: "domains:set APP DOMAIN...", Role: cli.Operator, Short: "Set the app's domains to exactly these",
		Run: setDomains,
	},
	{
		Use: "domains:set-global DOMAIN...", Role: cli.Admin, Short: "Set the global domains to exactly these: apps get names below them",
		Long: "Apps without domains of their own answer to APP.DOMAIN.",
		Run: func(c *cli.Call) error {
			return changeGlobal(c, func(_, given []string) ([]string, []string, error) {
				return given, []string{"Set " + strings.Join(given, " ")}, nil
			})
		},
	},
}

var domainReport = cli.Reporter{
	Noun: "domains", Server: "Global",
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return globalDomains(set), err
	},
	Keys: []string{"domains-app-enabled", "domains-app-vhosts", "domains-global-enabled", "domains-global-vhosts"},
	Collect: func(c *cli.Call, app *app.App, _ string) (map[string]string, error) {
		v, err := c.View(app)
		domains, values := v.Domains(), globalDomains(v.Settings)
		values["domains-app-enabled"] = fmt.Sprint(!app.State.DomainsDisabled && !app.State.ProxyDisabled)
		values["domains-app-vhosts"] = strings.Join(domains, " ")
		return values, err
	},
}

func globalDomains(set app.Settings) map[string]string {
	return map[string]string{
		"domains-global-enabled": fmt.Sprint(len(set.Domains) > 0),
		"domains-global-vhosts":  strings.Join(set.Domains, " "),
	}
}

// domainArgs returns the domains of the command line as they are stored, without
// duplicates.
func domainArgs(c *cli.Call) ([]string, error) {
	var list []string
	for _, arg := range c.Args {
		names := []string{arg}
		if host, dotted := strings.CutPrefix(arg, "."); dotted {
			names = []string{host, "*." + host} // as nginx, and so Dokku, reads ".example.com"
		}
		for _, name := range names {
			d, err := agent.ParseDomain(name)
			if err != nil {
				return nil, err
			}
			if !slices.Contains(list, d) {
				list = append(list, d)
			}
		}
	}
	return list, nil
}

// changeDomains applies a change to the app's list for each domain of the command line,
// and then prints the changes. The app keeps its present names, as in Dokku: the URL that
// a push printed goes on to work.
func changeDomains(c *cli.Call, op string, change func(c *cli.Call, list []string, d string) ([]string, string, error)) error {
	domains, err := domainArgs(c)
	if err != nil {
		return err
	}
	var said []string
	log := c.Events().WithApp(c.App.Name)
	err = c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: op, Changes: deploy.ChangesNames}, log, func(st *app.State) error {
		said = nil
		list, err := ownDomains(c, st)
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
		st.NoDomains = len(list) == 0
		if st.Domains = list; op == "domains:add" {
			set, err := c.Settings()
			if err != nil {
				return err
			}
			if !slices.Contains(set.Domains, app.HostName()) {
				st.Domains = hostNameLast(c.App.Name, list)
			}
			return enable(c, st)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, text := range said {
		log.Step("%s", text)
	}
	if op == "domains:add" {
		return added(c, domains)
	}
	return nil
}

// added says what keeps new domains from being reached, and what comes for them.
func added(c *cli.Call, domains []string) error {
	if r, err := c.Server.Reserved(c.App.Name, domains...); err == nil && c.MayUse(r.App) && strings.Contains(r.Why(c.MayUse), " of app ") {
		c.Events().WithApp(c.App.Name).Warn("%s", r.Why(c.MayUse))
	}
	warnElsewhere(c, domains)
	v, err := c.Server.View(c.App.Name)
	if err != nil || !v.Served() {
		return err
	}
	c.Server.Env.SayHTTPS(v, c.Events().WithApp(v.Name))
	return nil
}

// mostFollowed is how many domains of a command are looked up in the DNS.
const mostFollowed = 20

// warnElsewhere names the public domains that do not lead to this server yet. A DNS that
// does not answer says nothing about them.
func warnElsewhere(c *cli.Call, domains []string) {
	said := make([]string, min(len(domains), mostFollowed))
	var wg sync.WaitGroup
	for i := range said {
		if app.NotPublic(domains[i]) != "" {
			continue
		}
		wg.Go(func() {
			if lead, err := letsencrypt.Follow(c.Ctx, net.DefaultResolver, domains[i]); err == nil {
				said[i] = lead.Elsewhere(domains[i])
			}
		})
	}
	wg.Wait()
	for _, s := range said {
		if s != "" {
			c.Events().WithApp(c.App.Name).Warn("%s", s)
		}
	}
}

func addDomain(c *cli.Call, list []string, d string) ([]string, string, error) {
	if slices.Contains(list, d) {
		return list, fmt.Sprintf("Skipping: %s already added to %s", d, c.App.Name), nil
	}
	if err := free(c, d); err != nil {
		return nil, "", err
	}
	return append(list, d), fmt.Sprintf("Added %s to %s", d, c.App.Name), nil
}

// free refuses names that another app has, and to all but admins those that are reserved:
// an admin is told what a name takes.
func free(c *cli.Call, names ...string) error {
	if err := c.Server.DomainsFree(c.App.Name, names...); err != nil {
		return err
	}
	if c.Admin() {
		return nil // added tells what a name takes
	}
	r, err := c.Server.Reserved(c.App.Name, names...)
	if err != nil || !r.Exists() {
		return err
	}
	return c.NotGiven(c.App.Name, r.Why(c.MayUse))
}

func removeDomain(c *cli.Call, list []string, d string) ([]string, string, error) {
	if !slices.Contains(list, d) {
		return nil, "", cli.Refuse("Domain %s does not belong to app %s, which has: %s", d, c.App.Name, cmp.Or(strings.Join(list, " "), "none"))
	}
	rest := slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == d })
	return rest, fmt.Sprintf("Removed %s from %s", d, c.App.Name), nil
}

func setDomains(c *cli.Call) error {
	domains, err := domainArgs(c)
	if err != nil {
		return err
	}
	log := c.Events().WithApp(c.App.Name)
	err = c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: "domains:set", Changes: deploy.ChangesNames}, log, func(st *app.State) error {
		added := slices.DeleteFunc(slices.Clone(domains), func(d string) bool { return slices.Contains(st.Domains, d) })
		if err := free(c, added...); err != nil {
			return err
		}
		st.Domains, st.NoDomains = domains, false
		return enable(c, st)
	})
	if err != nil {
		return err
	}
	log.Step("Set %s for %s", strings.Join(domains, " "), c.App.Name)
	return added(c, domains)
}

// ownDomains returns the app's domains, also while they are disabled.
func ownDomains(c *cli.Call, st *app.State) ([]string, error) {
	v, err := c.View(c.App)
	if err != nil {
		return nil, err
	}
	named := *st
	named.DomainsDisabled = false
	return v.With(named).Domains(), nil
}

// hostNameLast moves the app's name below the host's to the end: checks ask for the first
// domain, and an added one is the one that the app knows. It is not for a host whose name is
// a global domain: there, the name is one that somebody chose.
func hostNameLast(name string, list []string) []string {
	d := name + "." + app.HostName()
	at := slices.Index(list, d)
	if at < 0 {
		return list
	}
	return append(slices.Delete(slices.Clone(list), at, at+1), d)
}
