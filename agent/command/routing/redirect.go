package routing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

var redirectCommands = []cli.Spec{
	{
		Use: "redirect [APP]", Role: cli.Operator, Short: "List the app's redirects",
		Long: "Without an app, it lists the redirect commands.", Whole: true,
		Run: func(c *cli.Call) error {
			if c.App == nil {
				return c.ListNoun("redirect")
			}
			return listRedirects(c)
		},
	},
	redirectReport.Spec("Show the app's redirects"),
	{
		Use: "redirect:set APP SOURCE DESTINATION [CODE]", Role: cli.Operator, Short: "Send visitors of a domain to another one",
		Long: "The rest of the URL stays. CODE is 301 (default), 302, 303, 307 or 308; 307 and 308 keep a POST. SOURCE becomes a name\n" +
			"of the app, with a certificate as its domains have one, so it must not be a domain of another app.",
		Example: "dokku redirect:set hello example.com www.example.com",
		Run:     setRedirect,
	},
	{
		Use: "redirect:unset APP SOURCE", Role: cli.Operator, Short: "Remove the redirect of a domain",
		Missing: "Please provide a source domain",
		Words:   func(c *cli.Call) []string { return slices.Sorted(maps.Keys(c.App.State.Redirects)) },
		Run:     unsetRedirect,
	},
}

var redirectReport = cli.Reporter{
	Noun: "redirect",
	Keys: []string{"redirect-map"},
	Collect: func(_ *cli.Call, a *app.App, _ string) (map[string]string, error) {
		var list []string
		for _, from := range slices.Sorted(maps.Keys(a.State.Redirects)) {
			r := a.State.Redirects[from]
			list = append(list, fmt.Sprintf("%s:%s:%d", from, r.To, r.Code))
		}
		return map[string]string{"redirect-map": strings.Join(list, " ")}, nil
	},
}

func listRedirects(c *cli.Call) error {
	if len(c.App.State.Redirects) == 0 {
		c.Warn("There are no redirects for %s", c.App.Name)
		return nil
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SOURCE\tDESTINATION\tCODE")
	for _, from := range slices.Sorted(maps.Keys(c.App.State.Redirects)) {
		r := c.App.State.Redirects[from]
		fmt.Fprintf(w, "%s\t%s\t%d\n", from, r.To, r.Code)
	}
	w.Flush()
	c.Print("%s", table.String())
	return nil
}

// parseRedirect reads a redirect from the words of a command line.
func parseRedirect(words []string) (proxy.Redirect, error) {
	r := proxy.Redirect{Code: 301}
	var err error
	if len(words) > 2 {
		if r.Code, err = strconv.Atoi(words[2]); err != nil {
			return r, cli.Refuse("Invalid code %q: give one of %s", event.OneLine(words[2]), strings.Trim(fmt.Sprint(proxy.RedirectCodes), "[]"))
		}
	}
	for i, to := range []*string{&r.From, &r.To} {
		if strings.Contains(words[i], "/") {
			return r, cli.Refuse("Invalid domain %q: give a name alone; the rest of the URL stays as it is", event.OneLine(words[i]))
		}
		if *to, err = agent.ParseDomain(words[i]); err != nil {
			return r, err
		}
	}
	if err := proxy.CheckRedirect(r); err != nil {
		return r, cli.Refuse("Invalid redirect: %s", err)
	}
	return r, nil
}

func setRedirect(c *cli.Call) error {
	r, err := parseRedirect(c.Args)
	if err != nil {
		return err
	}
	log := c.Events().WithApp(c.App.Name)
	change := func(st *app.State) error {
		if err := free(c, r.From); err != nil {
			return err
		}
		after := app.Merged(st.Redirects, map[string]app.Redirect{r.From: {To: r.To, Code: r.Code}})
		for at, way := r.To, []string{r.From, r.To}; after[at].To != ""; {
			at = after[at].To
			if way = append(way, at); at == r.From {
				return cli.Refuse("Redirects of %s would go round in a circle: %s", c.App.Name, strings.Join(way, " -> "))
			}
		}
		st.Redirects = after
		return nil
	}
	trial := c.App.State.Clone()
	if err := change(&trial); err != nil {
		return err
	}
	log.Step("Setting redirect for %s...", c.App.Name)
	if err := c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: "redirect:set", Changes: deploy.ChangesNames}, log, change); err != nil {
		return err
	}
	log.Detail("done")
	warnWithoutProxy(c)
	return added(c, []string{r.From})
}

func unsetRedirect(c *cli.Call) error {
	from, err := agent.ParseDomain(c.Args[0])
	if err != nil {
		return err
	}
	have := c.App.State.Redirects
	if _, ok := have[from]; !ok {
		return cli.Refuse("There is no redirect of %s for %s, only of: %s", from, c.App.Name,
			cmp.Or(strings.Join(slices.Sorted(maps.Keys(have)), " "), "none"))
	}
	log := c.Events().WithApp(c.App.Name)
	log.Step("Unsetting redirect for %s...", c.App.Name)
	err = c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: "redirect:unset", Changes: deploy.ChangesNames}, log, func(st *app.State) error {
		delete(st.Redirects, from)
		return nil
	})
	if err == nil {
		log.Detail("done")
	}
	return err
}
