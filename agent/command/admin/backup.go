package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/google/renameio/v2"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/backup/archive"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/keys"
	"dokku/agent/text"
	"dokku/agent/vault"
)

var backupCommands = []cli.Spec{
	{
		Use: "backup [APP...]", Role: cli.Admin, Short: "Write apps, config, releases, repositories, settings and ssh keys to one file",
		Long: "Without names, it backs up all apps, the server's settings and the ssh keys; with names, only these apps.\n" +
			"The backup goes to standard output, also over ssh, or with --output to a file that only its owner can read.\n" +
			"It contains secrets: all config variables. It is a tar file; to list it: tar tzf FILE.\n" +
			"Each app is locked while it is read; pushes to it wait. Restore builds the images again from the deployed\n" +
			"revisions, unless --images includes them, which makes the file much larger.\n" +
			"Not included: volumes and folders of the host (a list is printed at the end), logs, containers.",
		Example: "ssh dokku@server backup > backup.tar.gz\ndokku backup --output /var/backups/dokku.tar.gz hello",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("images", false, "include the images of all kept releases")
			f.StringP("output", "o", "", "write to this file, which must not exist (--force replaces it)")
		},
		NewApp: true, Run: runBackup,
	},
	{
		Use: "restore [APP...]", Role: cli.Admin, Short: "Restore apps from a backup",
		Long: "Without names, it restores all apps of the backup, and the settings and ssh keys that the server does not have;\n" +
			"with names, only these apps. It reads standard input, also over ssh, or with --input a file.\n" +
			"It checks the whole backup before it changes anything. It refuses to replace existing apps; with --force it\n" +
			"replaces them with all they have, and they are down until the new ones are up. Each app has to pass its checks, as\n" +
			"after a push. If the backup has no image, the app is built first, as ps:rebuild does, and its release command\n" +
			"runs. An app that does not come up stays stopped, and the restore continues with the others. Apps that were\n" +
			"stopped stay stopped.\n" +
			"After an interruption, run the same command again: it restores the rest.",
		Example: "ssh dokku@server restore < backup.tar.gz\ndokku restore --input backup.tar.gz hello",
		Flags: func(f *pflag.FlagSet) {
			f.StringP("input", "i", "", "read this file")
		},
		NewApp: true, Run: runRestore,
	},
}

func runBackup(c *cli.Call) error {
	if err := checkApps(c, true); err != nil {
		return err
	}
	path, err := fileFlag(c, "output", "write", "> FILE")
	if err != nil {
		return err
	}
	if path == "" && c.Env.Terminal {
		return cli.Refuse("Cannot write a backup to a terminal: use dokku backup > FILE, or dokku backup --output FILE")
	}
	log, stop := c.Aside()
	defer stop()
	var m archive.Manifest
	var left []string
	var incomplete *vault.IncompleteError
	size := &counter{}
	write := func(w io.Writer) (err error) {
		size.w = w
		m, left, err = backup.Write(c.Ctx, c.Server, backup.BackupOptions{Apps: c.Args, Images: c.Flag("images"), Dokku: c.Env.Version,
			Keys: func(context.Context) ([]byte, error) { return keys.Export(c.Env.Root) }}, size, log)
		if errors.As(err, &incomplete) {
			return nil // what was written stays
		}
		return err
	}
	if path == "" {
		err = write(c.Env.Stdout)
	} else {
		err = writeNew(c, path, write)
	}
	if err != nil {
		return err
	}
	to := ""
	if path != "" {
		to = " in " + path
	}
	log.Result("Backed up %s: %s%s", text.Plural(len(m.Apps), "app"), units.HumanSize(float64(size.n)), to)
	log.Detail("It contains secrets (config variables): keep it where only you can read it")
	for _, line := range left {
		log.Warn("%s", line)
	}
	if incomplete != nil {
		return fmt.Errorf("The backup is incomplete: %w", incomplete) //lint:ignore ST1005 as Dokku's own messages
	}
	return nil
}

// checkApps checks the names of apps on the command line; with exist, the apps must
// exist. If a word looks like a file name, the error names the right flag.
func checkApps(c *cli.Call, exist bool) error {
	for _, name := range c.Args {
		if strings.ContainsAny(name, "/") || strings.HasSuffix(name, ".gz") || strings.HasSuffix(name, ".tar") || strings.HasSuffix(name, ".tgz") {
			if exist {
				return c.UsageError("%q is not an app; to write to a file: --output FILE", event.OneLine(name))
			}
			return c.UsageError("%q is not an app; to read a file: --input FILE", event.OneLine(name))
		}
		if err := app.ValidName(name); err != nil {
			return err
		}
		if exist {
			if _, err := c.Server.Env.Store.Load(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// fileFlag returns the absolute path of the file that a flag names, "" without the flag.
// Over ssh it is an error, since the client's files are not on this server.
func fileFlag(c *cli.Call, flag, verb, instead string) (string, error) {
	name := c.Value(flag)
	switch {
	case name == "" && c.Changed(flag):
		return "", c.UsageError("--%s needs a file name", flag)
	case name == "":
		return "", nil
	case c.Env.User != "":
		return "", cli.Refuse("Cannot %s %q over ssh, since it would be a file on the server: use %s", verb, event.OneLine(name), instead)
	case !filepath.IsAbs(name):
		name = filepath.Join(c.Env.Dir, name)
	}
	return filepath.Clean(name), nil
}

// writeNew creates a file, readable only by its owner, with one rename and synced to the
// disk.
func writeNew(c *cli.Call, path string, write func(io.Writer) error) error {
	if err := vacant(c, path); err != nil {
		return err
	}
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o600), renameio.WithTempDir(filepath.Dir(path)), renameio.IgnoreUmask())
	if err != nil {
		return cli.Refuse("Cannot write %s as the owner of %s: %s; dokku backup > FILE can write anywhere", path, c.Env.Root, reason(err))
	}
	defer f.Cleanup()
	if err := write(f); err != nil {
		return err
	}
	if err := vacant(c, path); err != nil {
		return err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, err)
	}
	defer d.Close()
	return d.Sync()
}

// vacant returns an error if the file exists, unless --force replaces it.
func vacant(c *cli.Call, path string) error {
	fi, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return cli.Refuse("Cannot write %s: %s", path, reason(err))
	case !fi.Mode().IsRegular():
		return cli.Refuse("Cannot write %s: it exists and is not a regular file", path)
	case !c.Force:
		return cli.Refuse("Cannot write %s: it already exists; --force replaces it", path)
	}
	return nil
}

// reason returns the error's text without the path.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func runRestore(c *cli.Call) error {
	if err := checkApps(c, false); err != nil {
		return err
	}
	path, err := fileFlag(c, "input", "read", "< FILE")
	if err != nil {
		return err
	}
	from := c.Env.Stdin
	if path != "" {
		f, err := os.Open(path)
		if err != nil {
			return cli.Refuse("Cannot read %s: %s; dokku restore < FILE can read any of your files", path, reason(err))
		}
		defer f.Close()
		from = f
	} else if f, ok := from.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return cli.Refuse("Cannot read a backup from a terminal: use dokku restore < FILE, or dokku restore --input FILE")
	}
	n, err := backup.Restore(c.Ctx, c.Server, from, backup.RestoreOptions{Apps: slices.Clone(c.Args), Force: c.Force, OnHost: c.Env.User == "",
		Properties: c.CheckStored, Server: c.CheckServerStored,
		Keys: func(_ context.Context, list []byte, check bool) (string, error) {
			if check {
				return "", keys.Check(list)
			}
			return keys.Import(c.Env.Root, list, c.Env.User == "")
		}}, c.Events())
	if err != nil {
		return err
	}
	c.Events().Result("Restored %s", text.Plural(n, "app"))
	return nil
}

// A counter counts the bytes that it passes on.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
