package resources

import (
	"io"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/command/cli"
	"dokku/agent/command/vaults"
	"dokku/agent/vault"
)

// mountBackups are the commands about backups of what an app mounts.
var mountBackups = vaults.Noun{
	Prefix: "storage:backup-", Make: "storage:backup", Words: "APP MOUNT ", About: "a folder or volume of an app",
	Load: "It is a tar file; dokku storage:restore APP MOUNT unpacks a kept one.",
	Job: func(c *cli.Call) (vault.Job, error) {
		j, _, err := mountJob(c)
		return j, err
	},
}

func mountJob(c *cli.Call) (vault.Job, app.Mount, error) {
	m, err := mountOf(c)
	if err != nil {
		return vault.Job{}, m, err
	}
	base, err := backup.Job(c.Server, c.Env.Version, c.Events()).Plan()
	return backup.MountJob(c.Server, c.App.Name, m, base), m, err
}

var restoreMount = cli.Spec{
	Use: "storage:restore APP MOUNT [BACKUP]", Role: cli.Admin, Short: "Unpack a kept backup of a folder or volume",
	Long: "BACKUP is an id of storage:backup-list, or - for a file on standard input; without it, it is the last proven one. The app has to be stopped, and the\n" +
		"folder or volume empty, unless --force is given; files that the backup does not have stay then.",
	Example: "dokku ps:stop hello\ndokku storage:restore hello /app/data\ndokku ps:start hello",
	Flags: func(f *pflag.FlagSet) {
		f.String("identity", "", "the file with the private key of age or ssh; - is standard input")
	},
	Run: func(c *cli.Call) error {
		j, m, err := mountJob(c)
		if err != nil {
			return err
		}
		var from io.Reader = c.Env.Stdin
		if len(c.Args) == 0 || c.Args[0] != "-" {
			s, plain, err := mountBackups.Open(c, j)
			if err != nil {
				return err
			}
			defer s.Close()
			if from = plain; plain == nil {
				return cli.Refuse("%s is encrypted: --identity FILE names its private key, or decrypt it with age and give it on standard input (-)", s.ID)
			}
		} else if cli.AtTerminal(c.Env.Stdin) {
			return cli.Refuse("Cannot read a backup from a terminal: use < FILE")
		}
		log := c.Events().WithApp(c.App.Name)
		found, err := backup.RestoreMount(c.Ctx, c.Server, c.App.Name, m, from, c.Force, log)
		if err != nil {
			return err
		}
		log.Result("Restored %s: %s", j.About, found)
		return nil
	},
}

// mountOf finds the mount that the first word names, and takes the word out: its source, its
// folder in the container, or both.
func mountOf(c *cli.Call) (app.Mount, error) {
	word := c.Args[0]
	var list []string
	for _, m := range c.App.State.Mounts {
		if word == m.Source || word == m.Target || word == m.String() {
			c.Args = c.Args[1:]
			return m, nil
		}
		list = append(list, m.String())
	}
	if list == nil {
		return app.Mount{}, cli.Refuse("%s mounts nothing: dokku storage:mount adds a folder or a volume", c.App.Name)
	}
	return app.Mount{}, cli.Refuse("%s does not mount %q, only %s", c.App.Name, word, strings.Join(list, ", "))
}
