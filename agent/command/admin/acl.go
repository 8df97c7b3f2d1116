package admin

import (
	"fmt"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/keys"
	"dokku/agent/services"
)

// aboutACL says how the lists of Dokku's plugin are kept.
const aboutACL = "USER is the name of a key, which may come later. An admin's key may use everything anyway; what others may do is their role:\n" +
	"see ssh-keys:set."

var aclCommands = []cli.Spec{
	{
		Use: "acl:add APP USER", Role: cli.Admin, Short: "Make a key be for an app", Long: aboutACL, Example: "dokku acl:add hello ann",
		Missing: noUser, MissingAlone: true, Words: keyNames, Run: addToApp,
	},
	{
		Use: "acl:add-service TYPE SERVICE USER", Role: cli.Admin, Short: "Make an operator's key be for a service", Long: aboutACL,
		Example: "dokku acl:add-service postgres db ann", Missing: noUser, MissingAlone: true, Words: afterService, Run: addToService,
	},
	{
		Use: "acl:allowed USER", Role: cli.Admin, Short: "List the apps that a key is for", Missing: "No username specified", MissingAlone: true,
		Words: keyNames, Run: listAllowed,
	},
	{
		Use: "acl:allowed-services TYPE USER", Role: cli.Admin, Short: "List the services of a kind that a key is for", Missing: "No username specified",
		MissingAlone: true, Run: listAllowedServices,
	},
	{
		Use: "acl:list [APP]", Role: cli.Admin, Short: "List the keys that are for an app by name", Run: listApp,
	},
	{
		Use: "acl:list-service TYPE SERVICE", Role: cli.Admin, Short: "List the keys that are for a service, on standard error as Dokku's plugin does",
		Missing: "Please specify a service", MissingAlone: true, Words: afterService, Run: listService,
	},
	{
		Use: "acl:remove APP USER", Role: cli.Admin, Short: "Make a key not be for an app any more", Missing: noUser, MissingAlone: true,
		Words: keyNames, Run: func(c *cli.Call) error {
			return permit(c, c.Args[0], func(g *keys.Grant) error { g.Apps = without(g.Apps, c.App.Name); return nil })
		},
	},
	{
		Use: "acl:remove-service TYPE SERVICE USER", Role: cli.Admin, Short: "Make a key not be for a service any more", Missing: noUser,
		MissingAlone: true, Words: afterService, Run: func(c *cli.Call) error {
			name, err := serviceOf(c)
			if err != nil {
				return err
			}
			return permit(c, c.Args[2], func(g *keys.Grant) error { g.Services = without(g.Services, name); return nil })
		},
	},
	aclReport.Spec("Show the keys that are for an app"),
}

const noUser = "Please specify a user name"

// errGranted has the text and the exit code of Dokku's plugin, which clients know.
type errGranted struct{}

func (errGranted) Error() string { return "" }
func (errGranted) ExitCode() int { return 2 }

var aclReport = cli.Reporter{
	Noun: "acl", Role: cli.Admin,
	Keys: []string{"acl-allowed-users", "acl-global-allow-command-line", "acl-global-super-user"},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		all, err := keys.Granted(c.Env.Root)
		return map[string]string{
			"acl-allowed-users":             strings.Join(namesOf(all, func(g keys.Grant) bool { return slices.Contains(g.Apps, a.Name) }), " "),
			"acl-global-allow-command-line": "true",
			"acl-global-super-user":         strings.Join(namesOf(all, func(g keys.Grant) bool { return g.Role == keys.Admin }), " "),
		}, err
	},
}

// namesOf returns the sorted names of the keys whose grant fits.
func namesOf(all []keys.Key, fits func(keys.Grant) bool) []string {
	names := []string{}
	for _, k := range all {
		if fits(k.Grant) {
			names = append(names, k.Name)
		}
	}
	return cli.Sorted(names)
}

func without(list []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == name })
}

// permit changes what a name may use.
func permit(c *cli.Call, user string, change func(*keys.Grant) error) error {
	if user == "" {
		return cli.Refuse(noUser)
	}
	return keys.Permit(c.Env.Root, user, change)
}

// grant adds to what a name may use. One that has it already is an error, as in Dokku's
// plugin.
func grant(c *cli.Call, user string, list func(*keys.Grant) *[]string, name string) error {
	err := permit(c, user, func(g *keys.Grant) error {
		if slices.Contains(*list(g), name) {
			return errGranted{}
		}
		*list(g) = append(*list(g), name)
		return nil
	})
	switch {
	case err == errGranted{}:
		fmt.Fprintln(c.Env.Stderr, "User already has permissions to push to this repository")
		return err
	case err != nil:
		return err
	}
	k, err := keys.Find(c.Env.Root, user)
	switch {
	case err != nil:
		return err
	case k == nil:
		c.Warn("There is no key %s yet: dokku ssh-keys:add %[1]s --role deployer < KEY.pub", user)
	case k.Grant.Role == keys.Admin:
		c.Warn("%s is an admin's key, which may use everything anyway: dokku ssh-keys:set %[1]s --role operator", user)
	}
	return nil
}

func addToApp(c *cli.Call) error {
	return grant(c, c.Args[0], func(g *keys.Grant) *[]string { return &g.Apps }, c.App.Name)
}

func addToService(c *cli.Call) error {
	name, err := serviceOf(c)
	if err != nil {
		return err
	}
	return grant(c, c.Args[2], func(g *keys.Grant) *[]string { return &g.Services }, name)
}

// serviceOf returns the service that the first two words name: "postgres:db".
func serviceOf(c *cli.Call) (string, error) {
	m := &services.Manager{Store: c.Server.Env.Store}
	kinds, err := services.Kinds(services.KindsDir(m.Store))
	i := slices.IndexFunc(kinds, func(k services.Kind) bool { return k.Name == c.Args[0] })
	if i < 0 {
		if err == nil {
			err = cli.Refuse("Service %s of type %s does not exist: there is no such type", event.OneLine(c.Args[1]), event.OneLine(c.Args[0]))
		}
		return "", err
	}
	all, err := m.List(kinds[i])
	if err != nil {
		return "", err
	}
	for _, s := range all {
		if s.Name == c.Args[1] {
			return c.Args[0] + ":" + s.Name, nil
		}
	}
	return "", cli.Refuse("Service %s of type %s does not exist", event.OneLine(c.Args[1]), c.Args[0])
}

// afterService completes kinds and services.
func afterService(c *cli.Call) (words []string) {
	m := &services.Manager{Store: c.Server.Env.Store}
	kinds, _ := services.Kinds(services.KindsDir(m.Store))
	for _, k := range kinds {
		switch {
		case len(c.Args) == 0:
			words = append(words, k.Name)
		case len(c.Args) == 1 && k.Name == c.Args[0]:
			all, _ := m.List(k)
			for _, s := range all {
				words = append(words, s.Name)
			}
		}
	}
	if len(c.Args) == 2 {
		return keyNames(c)
	}
	return words
}

func listApp(c *cli.Call) error {
	all, err := keys.Granted(c.Env.Root)
	if err != nil {
		return err
	}
	apps := []string{}
	if c.App != nil {
		apps = append(apps, c.App.Name)
	} else if apps, err = c.Apps(); err != nil {
		return err
	}
	for _, name := range apps {
		if c.App == nil && c.Headings() {
			c.Heading("%s acl list", name)
		}
		for _, user := range namesOf(all, func(g keys.Grant) bool { return slices.Contains(g.Apps, name) }) {
			c.Print("%s\n", user)
		}
	}
	return nil
}

// listService prints to standard error: clients of Dokku's plugin read there.
func listService(c *cli.Call) error {
	name, err := serviceOf(c)
	if err != nil {
		return err
	}
	all, err := keys.Granted(c.Env.Root)
	for _, user := range namesOf(all, func(g keys.Grant) bool { return slices.Contains(g.Services, name) }) {
		fmt.Fprintln(c.Env.Stderr, user)
	}
	return err
}

// granted returns what a name may use.
func granted(c *cli.Call) (g keys.Grant, err error) {
	user := c.Args[len(c.Args)-1]
	all, err := keys.Granted(c.Env.Root)
	for _, k := range all {
		if k.Name == user {
			return k.Grant, err
		}
	}
	return keys.Grant{}, err
}

func listAllowed(c *cli.Call) error {
	g, err := granted(c)
	if err != nil {
		return err
	}
	names := slices.Clone(g.Apps)
	if g.Role == keys.Admin || slices.Contains(g.Apps, keys.AllApps) {
		if names, err = c.Server.Env.Store.Apps(); err != nil {
			return err
		}
	}
	for _, name := range names {
		c.Print("%s\n", name)
	}
	return nil
}

func listAllowedServices(c *cli.Call) error {
	g, err := granted(c)
	if err != nil {
		return err
	}
	m := &services.Manager{Store: c.Server.Env.Store}
	kinds, err := services.Kinds(services.KindsDir(m.Store))
	i := slices.IndexFunc(kinds, func(k services.Kind) bool { return k.Name == c.Args[0] })
	if i < 0 {
		if err == nil {
			err = cli.Refuse("%s service plugin not detected", event.OneLine(c.Args[0]))
		}
		return err
	}
	all, err := m.List(kinds[i])
	for _, s := range all {
		if g.Role == keys.Admin || slices.Contains(g.Services, c.Args[0]+":"+s.Name) {
			c.Print("%s\n", s.Name)
		}
	}
	return err
}
