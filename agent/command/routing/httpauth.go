package routing

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/crypto/bcrypt"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

// hashCost makes nginx compute for about 3 ms for each request with a password, on its
// worker, which answers no other request meanwhile. A higher cost would let visitors
// without a password slow down all apps.
const hashCost = 6

var httpAuthCommands = []cli.Spec{
	status("http-auth", "HTTP auth", func(st *app.State) bool { return st.Auth.Asks() }),
	{
		Use: "http-auth:add-allowed-ip APP ADDRESS", Role: cli.Operator, Short: "Let an address or a range in without a password",
		Long:    "It enables http-auth. While the app has no users, only these addresses get in.",
		Example: "dokku http-auth:add-allowed-ip hello 192.0.2.0/24",
		Missing: "Missing ip address", Run: addAllowed,
	},
	{
		Use: "http-auth:add-domain APP DOMAIN...", Role: cli.Operator, Short: "Ask for passwords at some of the app's domains alone",
		Long:    "It enables http-auth. The app's other domains are open to everybody, once there is a domain in the list.",
		Example: "dokku http-auth:add-domain hello admin.example.com",
		Missing: "Missing domain", Words: appDomains, Run: addAuthDomains,
	},
	{
		Use: "http-auth:add-user APP USER [PASSWORD]", Role: cli.Operator, Short: "Add a user, or give one another password",
		Long:    "It enables http-auth. --password-stdin reads the password from standard input, so that no list of processes\nshows it. Only its hash is stored.",
		Example: "dokku http-auth:add-user hello ann --password-stdin < password",
		Missing: "Missing username", Flags: passwordFlag, Run: addUser,
	},
	{
		Use: "http-auth:disable APP", Role: cli.Operator, Short: "Let everybody in; users and addresses stay stored",
		Run: func(c *cli.Call) error {
			log := c.Events().WithApp(c.App.Name)
			if !c.App.State.Auth.Asks() {
				log.Step("Authentication already disabled")
				return nil
			}
			log.Step("Disabling HTTP auth for %s...", c.App.Name)
			return changeAuth(c, "http-auth:disable", "Done", func(a *app.Auth) error { a.Enabled = false; return nil })
		},
	},
	{
		Use: "http-auth:enable APP [USER [PASSWORD]]", Role: cli.Operator, Short: "Ask visitors for a name and a password",
		Long:    "Until there is a user or an allowed address, nobody gets in.",
		Example: "dokku http-auth:enable hello ann --password-stdin < password",
		Flags:   passwordFlag, Run: enableAuth,
	},
	{
		Use: "http-auth:export-users APP", Role: cli.Operator, Short: "Print the users with the hashes of their passwords",
		Long:    "A line USER:HASH for each, which http-auth:import-users reads. A hash is a secret: it lets its owner try passwords.",
		Example: "dokku http-auth:export-users hello | ssh dokku@new http-auth:import-users hello",
		Run: func(c *cli.Call) error {
			if a := c.App.State.Auth; a != nil && len(a.Users) > 0 {
				c.Print("%s", proxy.Auth{Users: a.Users}.Lines())
				return nil
			}
			c.Warn("%s has no users", c.App.Name)
			return nil
		},
	},
	{
		Use: "http-auth:import-users APP", Role: cli.Operator, Short: "Add users with the hashes of their passwords",
		Long:    "Standard input has a line USER:HASH for each, as htpasswd and mkpasswd make them and Dokku's plugin stores them.",
		Example: "ssh root@old cat /home/dokku/hello/htpasswd | dokku http-auth:import-users hello",
		Flags:   func(f *pflag.FlagSet) { f.Bool("replace", false, "remove all other users") },
		Run:     importUsers,
	},
	{
		Use: "http-auth:remove-allowed-ip APP ADDRESS", Role: cli.Operator, Short: "Ask visitors from an address or a range again",
		Missing: "Missing ip address",
		Words: func(c *cli.Call) []string {
			if c.App.State.Auth == nil {
				return nil
			}
			return c.App.State.Auth.AllowedIPs
		},
		Run: removeAllowed,
	},
	{
		Use: "http-auth:remove-domain APP DOMAIN...", Role: cli.Operator, Short: "Do not ask for passwords at a domain any more",
		Long:    "Without the last domain of the list, visitors are asked at all of the app's domains again.",
		Missing: "Missing domain", Words: listedDomains, Run: removeAuthDomains,
	},
	{
		Use: "http-auth:remove-user APP USER", Role: cli.Operator, Short: "Remove a user",
		Missing: "Missing username",
		Words: func(c *cli.Call) []string {
			if c.App.State.Auth == nil {
				return nil
			}
			return slices.Sorted(maps.Keys(c.App.State.Auth.Users))
		},
		Run: removeUser,
	},
	httpAuthReport.Spec("Show who gets in"),
	{
		Use: "http-auth:set-domains APP [DOMAIN...]", Role: cli.Operator, Short: "Ask for passwords at these domains of the app alone",
		Long:    "It replaces the list of http-auth:add-domain. Without domains, visitors are asked at all of them.",
		Example: "dokku http-auth:set-domains hello admin.example.com staging.example.com",
		Words:   appDomains, Run: setAuthDomains,
	},
}

func passwordFlag(f *pflag.FlagSet) {
	f.Bool("password-stdin", false, "read the password from standard input")
}

var httpAuthReport = cli.Reporter{
	Noun: "http-auth", First: "http-auth-enabled",
	Keys: []string{"http-auth-allowed-ips", "http-auth-domains", "http-auth-enabled", "http-auth-users"},
	Collect: func(_ *cli.Call, a *app.App, _ string) (map[string]string, error) {
		values := map[string]string{"http-auth-enabled": strconv.FormatBool(a.State.Auth.Asks()), "http-auth-allowed-ips": "", "http-auth-domains": "", "http-auth-users": ""}
		if auth := a.State.Auth; auth != nil {
			values["http-auth-allowed-ips"] = strings.Join(auth.AllowedIPs, " ")
			values["http-auth-domains"] = strings.Join(auth.Domains, " ")
			values["http-auth-users"] = strings.Join(slices.Sorted(maps.Keys(auth.Users)), " ")
		}
		return values, nil
	},
}

// changeAuth changes who gets in, at once, and says done.
func changeAuth(c *cli.Call, op, done string, change func(*app.Auth) error) error {
	log := c.Events().WithApp(c.App.Name)
	err := c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: op, Changes: deploy.ChangesRoute}, log, func(st *app.State) error {
		return change(st.ChangingAuth())
	})
	if err != nil {
		return err
	}
	if done != "" {
		log.Detail("%s", done)
	}
	warnWithoutProxy(c)
	return nil
}

// credentials returns the user of the command line and the hash of the password.
func credentials(c *cli.Call) (user, hash string, err error) {
	words := append(slices.Clone(c.Args), "", "")
	user, password := words[0], words[1]
	if c.Flag("password-stdin") {
		if password != "" {
			return "", "", c.UsageError("Give either a password or --password-stdin")
		}
		if password, err = c.ReadPassword(); err != nil {
			return "", "", err
		}
	}
	switch {
	case user == "":
		return "", "", cli.Refuse("Missing username")
	case password == "":
		return "", "", cli.Refuse("Missing password")
	}
	if err := proxy.CheckUser(user); err != nil {
		return "", "", cli.Refuse("Invalid user name %q: give 1 to 64 characters without spaces, ':' and '#'", event.OneLine(user))
	}
	data, err := bcrypt.GenerateFromPassword([]byte(password), hashCost)
	if errors.Is(err, bcrypt.ErrPasswordTooLong) {
		return "", "", cli.Refuse("The password is too long: give at most 72 bytes")
	}
	return user, string(data), err
}

func enableAuth(c *cli.Call) error {
	log := c.Events().WithApp(c.App.Name)
	if c.App.State.Auth.Asks() {
		log.Step("Authentication already enabled, use http-auth:add-user or http-auth:remove-user to modify users")
		return nil
	}
	user, hash, err := "", "", error(nil)
	if len(c.Args) > 0 {
		if user, hash, err = credentials(c); err != nil {
			return err
		}
	}
	log.Step("Enabling HTTP auth for %s...", c.App.Name)
	if a := c.App.State.Auth; user == "" && (a == nil || len(a.Users) == 0) {
		log.Warn("Skipping user initialization")
	}
	return changeAuth(c, "http-auth:enable", "Done", func(a *app.Auth) error {
		if a.Enabled = true; user != "" {
			a.Users[user] = hash
		}
		return nil
	})
}

// addUser also enables http-auth, as Dokku's plugin does: else the user would seem to
// protect the app.
func addUser(c *cli.Call) error {
	user, hash, err := credentials(c)
	if err != nil {
		return err
	}
	c.Events().WithApp(c.App.Name).Step("Adding %s to basic auth list", user)
	return changeAuth(c, "http-auth:add-user", "", func(a *app.Auth) error {
		a.Enabled, a.Users[user] = true, hash
		return nil
	})
}

func removeUser(c *cli.Call) error {
	user, auth := c.Args[0], c.App.State.Auth
	if auth == nil || auth.Users[user] == "" {
		c.Events().WithApp(c.App.Name).Step("%s is no user of %s", event.OneLine(user), c.App.Name)
		return nil
	}
	c.Events().WithApp(c.App.Name).Step("Removing %s from basic auth list", user)
	return changeAuth(c, "http-auth:remove-user", "", func(a *app.Auth) error { delete(a.Users, user); return nil })
}

// maxUsers bounds what import-users reads, in bytes.
const maxUsers = 1 << 20

func importUsers(c *cli.Call) error {
	const how = "dokku http-auth:import-users APP < htpasswd"
	if c.Env.Stdin == nil || cli.AtTerminal(c.Env.Stdin) {
		return cli.Refuse("Lines USER:HASH expected on stdin: %s", how)
	}
	data, err := io.ReadAll(io.LimitReader(c.Env.Stdin, maxUsers+1))
	if err != nil || len(data) > maxUsers {
		return errors.Join(err, cli.Refuse("Standard input has more than %d bytes: %s", maxUsers, how))
	}
	users := map[string]string{}
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		user, hash, _ := strings.Cut(line, ":")
		if err := proxy.CheckUser(user); err != nil {
			return cli.Refuse("Line %d has no user name of 1 to 64 characters without spaces, ':' and '#': write USER:HASH", n)
		}
		err := proxy.CheckHash(hash)
		if err == nil && !c.Admin() {
			err = proxy.CheckHashCost(hash)
		}
		if err != nil {
			return cli.Refuse("Line %d, user %s: %s", n, user, err)
		}
		users[user] = hash
	}
	if len(users) == 0 {
		return cli.Refuse("Standard input has no line USER:HASH: %s", how)
	}
	c.Events().WithApp(c.App.Name).Step("Importing %d users to basic auth list", len(users))
	return changeAuth(c, "http-auth:import-users", "", func(a *app.Auth) error {
		if c.Flag("replace") {
			clear(a.Users)
		}
		maps.Copy(a.Users, users)
		return nil
	})
}

func addAllowed(c *cli.Call) error {
	address := c.Args[0]
	if list, err := proxy.ParsePrefixes(address); err != nil || len(list) != 1 || strings.ContainsAny(address, " ,") {
		return cli.Refuse("Invalid ip address %q: give one such as 192.0.2.7, or a range such as 192.0.2.0/24", event.OneLine(address))
	}
	c.Events().WithApp(c.App.Name).Step("Adding %s to allowed ip list", address)
	return changeAuth(c, "http-auth:add-allowed-ip", "", func(a *app.Auth) error {
		if a.Enabled = true; !slices.Contains(a.AllowedIPs, address) {
			a.AllowedIPs = append(a.AllowedIPs, address)
		}
		return nil
	})
}

func removeAllowed(c *cli.Call) error {
	address := c.Args[0]
	c.Events().WithApp(c.App.Name).Step("Removing %s from allowed ip list", event.OneLine(address))
	return changeAuth(c, "http-auth:remove-allowed-ip", "", func(a *app.Auth) error {
		a.AllowedIPs = slices.DeleteFunc(a.AllowedIPs, func(have string) bool { return have == address })
		return nil
	})
}
