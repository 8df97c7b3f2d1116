package apps

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/move"
	"dokku/agent/proc"
	"dokku/agent/repo"
	"dokku/agent/services"
	"dokku/agent/sources"
	"dokku/agent/text"
)

var importCommands = []cli.Spec{{
	Use: "import USER@HOST [APP...]", Role: cli.Admin, Short: "Take over apps from a Dokku server, with settings and history", AsRoot: true,
	Long: "It reads the server by ssh, as you: with your keys, known hosts and ssh configuration, and without asking anything.\n" +
		"It changes nothing there. USER is root, or a user with sudo without a password. Dokku 0.30 and later can be read.\n" +
		"Without names, it takes all apps and services, the settings of the server and the ssh keys; with names, only these\n" +
		"apps and the services that they use.\n" +
		"Each app gets its config, domains, ports, scale, checks, storage, networks, certificate, docker options, resource\n" +
		"limits, redirects, http-auth and all properties, and its last version is deployed, as by a push. Warnings tell what\n" +
		"has no equal here. A service comes with its passwords, links and data, which are counted on both sides; one that\n" +
		"has data here keeps them, unless --again names it. Files are not copied: an app whose mounted folder has files there\n" +
		"and none here is not deployed.\n" +
		"Run it again after an interruption, or after you did what a warning says: it changes only what differs.",
	Example: "dokku import root@old.example.com --plan\ndokku import root@old.example.com hello --port 2222 --identity ~/.ssh/old",
	Missing: "Please specify the server to import from, such as root@old.example.com",
	Flags: func(f *pflag.FlagSet) {
		f.String("port", "", "the port of the server's sshd")
		f.String("identity", "", "the file of an ssh key")
		f.Bool("plan", false, "only show what it would do")
		f.Bool("dry-run", false, "as --plan")
		f.String("again", "", "load the data of these services over those that they have here: postgres:db,redis:q")
		f.Bool("skip-deploy", false, "deploy nothing; ps:rebuild deploys an app later")
	},
	Run: runImport,
}}

// read is an app as it was read, or the error.
type read struct {
	app     *move.App
	archive string
	err     error
}

func runImport(c *cli.Call) error {
	host, err := importHost(c)
	if err != nil {
		return err
	}
	var dir string
	var lock *os.File
	err = proc.AsOwner(c.Env.Root, func() (err error) {
		dir, lock, err = c.Server.Env.Store.LockedStaging("import-")
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		proc.AsOwner(c.Env.Root, func() error { return os.RemoveAll(dir) })
		lock.Close()
	}()
	done, err := host.Connect()
	if err != nil {
		return err
	}
	names := slices.Clone(c.Args[1:])
	from, apps, err := readAll(c, host, names, dir)
	done(from != nil && len(from.Services) > 0)
	if from != nil {
		defer from.Drop()
	}
	if err != nil {
		return err
	}
	again, err := loadAgain(c, from)
	if err != nil {
		return err
	}
	// From here on, this process is the owner of DOKKU_ROOT.
	if c.Env.Become != nil {
		if err := c.Env.Become(); err != nil {
			return err
		}
	}
	m := &move.Mover{From: from, Here: c.Server, Run: c.Execute, Scratch: scratch(c, filepath.Join(dir, "root")), Log: c.Events(), Plan: c.Flag("plan") || c.Flag("dry-run"), SkipDeploy: c.Flag("skip-deploy"), Again: again,
		Importer: &sources.Importer{Server: c.Server, Output: sources.Output{Out: c.Env.Stdout, Errs: c.Env.Stderr, Remote: c.Env.Remote, User: c.Env.User}}}
	return importAll(c, m, apps, len(names) == 0)
}

// importHost returns the server of the command line.
func importHost(c *cli.Call) (*move.SSH, error) {
	if c.Env.User != "" {
		return nil, cli.Refuse("Cannot import over ssh, since it uses the keys and reads the files of this server: run sudo dokku import on the server")
	}
	host, err := move.ParseSSH(c.Args[0])
	if err != nil {
		return nil, err
	}
	if port := c.Value("port"); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, c.UsageError("Invalid --port %q: it has to be a number from 1 to 65535", event.OneLine(port))
		}
		host.Port = int(n)
	}
	if host.Identity = c.Value("identity"); host.Identity == "" {
		return &host, nil
	}
	if !filepath.IsAbs(host.Identity) {
		host.Identity = filepath.Join(c.Env.Dir, host.Identity)
	}
	if _, err := os.Stat(host.Identity); err != nil {
		return nil, cli.Refuse("Cannot read the key %s: %s", event.OneLine(host.Identity), errors.Unwrap(err))
	}
	return &host, nil
}

// loadAgain returns the services of --again.
func loadAgain(c *cli.Call, from *move.Server) (map[services.Ref]bool, error) {
	again := map[services.Ref]bool{}
	for word := range strings.FieldsFuncSeq(c.Value("again"), func(r rune) bool { return r == ',' || r == ' ' }) {
		kind, name, _ := strings.Cut(word, ":")
		r := services.Ref{Kind: kind, Name: name}
		if !slices.ContainsFunc(from.Services, func(v *move.Service) bool { return v.Ref == r }) {
			return nil, cli.Refuse("Invalid --again %q: give services that this import brings as KIND:NAME, such as postgres:db, separated by commas", event.OneLine(word))
		}
		again[r] = true
	}
	return again, nil
}

// readAll reads everything that the import needs from the server. With an error, the server
// may have been read in part.
func readAll(c *cli.Call, host move.Host, names []string, dir string) (*move.Server, []read, error) {
	from, err := move.Open(c.Ctx, host)
	if err != nil {
		return nil, nil, err
	}
	kinds, err := services.Kinds(services.KindsDir(c.Server.Env.Store))
	if err != nil {
		c.Warn("%s", err)
	}
	all := len(names) == 0
	if all {
		if err := errors.Join(from.ReadGlobal(c.Ctx), from.ReadPlugins(c.Ctx, kinds)); err != nil {
			return nil, nil, err
		}
		names = from.Names
	}
	// The host's log belongs to the owner of DOKKU_ROOT, which this process is not yet.
	if c.Headings() {
		c.Print("-----> Reading %s\n", host)
	}
	var apps []read
	for n, name := range names {
		if c.Headings() && len(names) > 1 { // each takes a while
			c.Print("       %s (%d of %d)\n", event.OneLine(name), n+1, len(names))
		}
		r := readOne(c, from, name, filepath.Join(dir, strconv.Itoa(len(apps))+".tar"))
		if c.Ctx.Err() != nil {
			return nil, nil, context.Cause(c.Ctx)
		}
		apps = append(apps, r)
	}
	return from, apps, from.ReadServices(c.Ctx, kinds, func(v *move.Service) bool {
		return all || slices.ContainsFunc(apps, func(r read) bool { return r.err == nil && r.app.Uses(v) })
	})
}

// readOne reads an app, and its repository unless this server has the same commit.
func readOne(c *cli.Call, from *move.Server, name, archive string) (r read) {
	if r.app, r.err = from.Read(c.Ctx, name); r.err != nil || r.app.Tip == "" {
		return r
	}
	var f *os.File
	here := false
	err := proc.AsOwner(c.Env.Root, func() (err error) {
		tip, err := repo.Ref(c.Server.Env.Store.Dir(name), deploy.Heads+r.app.Branch)
		if here = err == nil && tip == r.app.Tip; !here {
			f, err = os.OpenFile(archive, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			return err
		}
		return nil
	})
	if err == nil && !here {
		r.archive = archive
		err = errors.Join(from.Archive(c.Ctx, r.app, f), f.Close())
	}
	r.err = err
	return r
}

// scratch returns what runs a command on an empty server with the settings of this one.
func scratch(c *cli.Call, root string) func(context.Context, []string, string) (string, error) {
	return func(ctx context.Context, words []string, stdin string) (string, error) {
		if _, err := os.Stat(root); err != nil {
			set, err := os.ReadFile(c.Server.Env.Store.Own("server.json"))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
			if err := os.MkdirAll(filepath.Join(root, ".dokku"), 0o700); err != nil {
				return "", err
			}
			if len(set) > 0 {
				if err := os.WriteFile(filepath.Join(root, ".dokku", "server.json"), set, 0o600); err != nil {
					return "", err
				}
			}
		}
		return c.ExecuteOn(ctx, root, words, stdin)
	}
}

// importAll imports the apps, one after the other. What fails for one keeps no other.
func importAll(c *cli.Call, m *move.Mover, apps []read, all bool) error {
	log := c.Events()
	var failed []string
	fail := func(what string, err error) {
		failed = append(failed, what)
		if text := err.Error(); text != "" {
			log.Error("%s", text)
		}
	}
	for _, v := range m.From.Services {
		if err := m.Service(c.Ctx, v); err != nil {
			if c.Ctx.Err() != nil {
				return context.Cause(c.Ctx)
			}
			fail(v.Ref.String(), err)
		}
	}
	if all {
		if err := m.Global(c.Ctx); err != nil {
			fail("settings", err)
		}
	}
	for n, r := range apps {
		if c.Ctx.Err() != nil {
			return context.Cause(c.Ctx)
		}
		if r.err == nil {
			r.err = m.App(c.Ctx, r.app, r.archive)
		}
		if r.err != nil {
			fail(nameOf(m, r, c.Args[1:], n), r.err)
		}
	}
	if len(m.Waiting) > 0 && !m.Plan {
		log.Warn("Not deployed yet: %s. Do what the warnings above say, then run the import again", strings.Join(m.Waiting, ", "))
	}
	if len(failed) > 0 {
		return fmt.Errorf("Not imported, or not completely: %s", strings.Join(failed, ", ")) //lint:ignore ST1005 the style of Dokku's messages
	}
	if m.Plan {
		log.Success("Nothing was changed: this is a plan")
		return nil
	}
	what := text.Plural(len(apps), "app")
	if n := len(m.From.Services); n > 0 {
		what += " and " + text.Plural(n, "service")
	}
	log.Success("Imported %s from %s", what, m.From.Host)
	return nil
}

func nameOf(m *move.Mover, r read, given []string, n int) string {
	if len(given) == 0 {
		given = m.From.Names
	}
	return event.OneLine(given[n])
}
