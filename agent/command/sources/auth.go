package sources

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/sources"
)

var authCommands = []cli.Spec{
	{
		Use: "git:allow-host HOST", Role: cli.Admin, Short: "Trust the ssh keys of a git server",
		Long:    "It asks the server for its keys and prints them: compare them with what the server's owner publishes.",
		Example: "dokku git:allow-host github.com",
		Missing: "Please supply a git host",
		Run: func(c *cli.Call) error {
			keys, err := sources.AllowHost(c.Ctx, c.Server.Env.Store, c.Args[0])
			if err != nil {
				return err
			}
			c.Events().Step("%s added to known hosts", c.Args[0])
			for _, key := range keys {
				c.Events().Detail("%s", key)
			}
			return nil
		},
	},
	{
		Use: "git:auth HOST [USER] [PASSWORD]", Role: cli.Admin, Short: "Store the password for a git server",
		Long:    "git:sync and submodules use it for https, git:sync also for http. HOST may be http://HOST:PORT: then submodules and Git LFS use it there. Without USER it is removed. Without PASSWORD it is read from standard input.",
		Example: "cat token | dokku git:auth github.com bot",
		Missing: "Please supply a git host",
		Run:     runAuth,
	},
	{
		Use: "git:auth-status HOST [USER] [PASSWORD]", Role: cli.Admin, Short: "Exit with 0 if exactly this password is stored for a git server",
		Missing: "Please supply a git host",
		Run: func(c *cli.Call) error {
			user, password, err := userAndPassword(c)
			if err != nil {
				return err
			}
			same, err := sources.HasAuth(c.Server.Env.Store, c.Args[0], user, password)
			if err == nil && !same {
				err = cli.ErrSilent
			}
			return err
		},
	},
	{
		Use: "git:generate-deploy-key", Role: cli.Admin, Short: "Make the ssh key with which the server fetches code",
		Run: func(c *cli.Call) error {
			err := sources.GenerateKey(c.Ctx, c.Server.Env.Store, "dokku@"+app.HostName())
			if errors.Is(err, sources.ErrKeyExists) {
				c.Events().Warn("%s", err)
				return nil
			}
			if err != nil {
				return err
			}
			c.Events().Step("Generated a deploy key; git servers need its public half: dokku git:public-key")
			return showKey(c)
		},
	},
	{
		Use: "git:public-key", Role: cli.Admin, Short: "Print the public key with which the server fetches code",
		Run: func(c *cli.Call) error {
			key, err := sources.PublicKey(c.Server.Env.Store)
			if err == nil {
				c.Print("%s", key)
			}
			return err
		},
	},
}

// showKey says where the public key is, in the words of ssh-keygen, which Dokku runs and
// clients read.
func showKey(c *cli.Call) error {
	text, path, err := sources.PublicKeyFile(c.Server.Env.Store)
	if err != nil {
		return err
	}
	key, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return fmt.Errorf("cannot read the deploy key %s: %w", path, err)
	}
	c.Print("Your public key has been saved in %s\nThe key fingerprint is:\n%s %s\n", path, ssh.FingerprintSHA256(key), comment)
	return nil
}

func runAuth(c *cli.Call) error {
	user, password, err := userAndPassword(c)
	if err != nil {
		return err
	}
	log := c.Events()
	if user == "" {
		log.Step("Removing netrc auth entry for host %s", c.Args[0])
	} else {
		log.Step("Setting netrc auth entry for host %s", c.Args[0])
	}
	return sources.SetAuth(c.Ctx, c.Server.Env.Store, c.Args[0], user, password)
}

// userAndPassword returns the words after the host. A password that is missing comes from
// standard input, so that it need not be on a command line.
func userAndPassword(c *cli.Call) (user, password string, err error) {
	if len(c.Args) > 1 {
		user = c.Args[1]
	}
	switch {
	case len(c.Args) > 2:
		password = c.Args[2]
	case user != "":
		if password, err = c.ReadPassword(); err != nil {
			return "", "", err
		}
	}
	if user != "" && password == "" {
		return "", "", cli.Refuse("Missing password for netrc auth entry")
	}
	return user, password, nil
}
