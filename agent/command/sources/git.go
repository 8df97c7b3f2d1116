package sources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/sources"
)

// Commands are the commands of this package.
var Commands = slices.Concat(deployCommands, authCommands, registryCommands, serveCommands)

const authorHelp = "NAME and EMAIL are the author of the commit that it makes in the app's repository."

var deployCommands = []cli.Spec{
	{
		Use: "git:from-image APP IMAGE [NAME] [EMAIL]", Role: cli.Admin, Short: "Deploy an image, of a registry or of this server",
		Long: "The image is pulled unless the server has it; with --force in any case. The deployed version names it by its\n" +
			"digest, so that it stays the same. " + authorHelp,
		Example: "dokku git:from-image hello registry.example.com/hello:1.2",
		Missing: "Please specify a docker image",
		Flags:   buildDirFlag,
		Run: func(c *cli.Call) error {
			m, err := image(c)
			if err != nil {
				return err
			}
			return deploy(c, func(ctx context.Context, i *sources.Importer) error {
				return i.FromImage(ctx, c.App.Name, m, c.Events().WithApp(c.App.Name))
			})
		},
	},
	{
		Use: "git:load-image APP IMAGE [NAME] [EMAIL]", Role: cli.Admin, Short: "Deploy an image of an archive on standard input",
		Long:    "The archive is what docker save writes. Only the named image gets a name from it. " + authorHelp,
		Example: "docker save hello:1.2 | ssh dokku@server git:load-image hello hello:1.2",
		Missing: "Please specify a docker image",
		Flags:   buildDirFlag,
		Run:     loadImage,
	},
	{
		Use: "git:from-archive APP [URL] [NAME] [EMAIL]", Role: cli.Operator, Short: "Deploy the files of an archive",
		Long: "URL is an http or https address, or -- for standard input. If all files are in one folder, that folder is left\n" +
			"out. " + authorHelp,
		Example: "tar c . | ssh dokku@server git:from-archive hello --",
		Flags:   func(f *pflag.FlagSet) { f.String("archive-type", "tar", "tar, tar.gz or zip") },
		Values:  map[string]func(*cli.Call) []string{"archive-type": cli.OneOfWords(sources.ArchiveTypes...)},
		Run:     fromArchive,
	},
	{
		Use: "git:sync APP REPOSITORY [REF]", Role: cli.Operator, Short: "Fetch a branch, tag or commit of another repository",
		Long: "Without REF, the deploy branch is fetched. Nothing is deployed unless --build or --build-if-changes says so.\n" +
			"A branch REF becomes the deploy branch of an app that has none. A remote whose history was rewritten moves the\n" +
			"branch as well, as a forced push does.",
		Example: "dokku git:sync --build hello https://github.com/example/hello.git main",
		Missing: "Missing GIT_REMOTE parameter",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("build", false, "deploy it")
			f.Bool("build-if-changes", false, "deploy it if the branch moved")
			f.Bool("skip-deploy-branch", false, "do not make REF the deploy branch")
		},
		Run: func(c *cli.Call) error {
			s := sources.Sync{Remote: c.Args[0], Build: c.Flag("build") || c.Flag("build-if-changes"),
				IfChanged: c.Flag("build-if-changes") && !c.Flag("build"), KeepBranch: c.Flag("skip-deploy-branch")}
			if len(c.Args) > 1 {
				s.Ref = c.Args[1]
			}
			return deploy(c, func(ctx context.Context, i *sources.Importer) error {
				return i.Sync(ctx, c.App.Name, s, c.Events().WithApp(c.App.Name))
			})
		},
	},
}

func buildDirFlag(f *pflag.FlagSet) {
	f.String("build-dir", "", "a folder of the server whose files are the build context, for ONBUILD")
}

// deploy runs a command whose push prints to the command's own output.
func deploy(c *cli.Call, do func(context.Context, *sources.Importer) error) error {
	err := do(c.Ctx, &sources.Importer{Server: c.Server, Bounded: !c.Admin(), Output: sources.Output{Out: c.Env.Stdout, Errs: c.Env.Stderr,
		Remote: c.Env.Remote, User: c.Env.User}})
	if errors.Is(err, sources.ErrTold) {
		return cli.ErrSilent
	}
	return err
}

// image returns the image that a command line names.
func image(c *cli.Call) (sources.Image, error) {
	m := sources.Image{Name: c.Args[0], Pull: c.Force, Author: author(c.Args[1:])}
	dir := c.Value("build-dir")
	switch {
	case dir == "":
		return m, nil
	case c.Env.User != "":
		return m, cli.Refuse("Cannot use --build-dir over ssh: it names a folder of the server")
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(c.Env.Dir, dir)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return m, cli.Refuse("Invalid BUILD_DIR specified for docker build context: %s is not a folder that the user dokku can read", dir)
	}
	m.Context = dir
	return m, nil
}

func author(words []string) (a sources.Author) {
	if len(words) > 0 {
		a.Name = words[0]
	}
	if len(words) > 1 {
		a.Email = words[1]
	}
	return a
}

func loadImage(c *cli.Call) error {
	m, err := image(c)
	if err != nil {
		return err
	}
	if cli.AtTerminal(c.Env.Stdin) {
		return cli.Refuse("Expecting tar archive containing docker image on STDIN")
	}
	return deploy(c, func(ctx context.Context, i *sources.Importer) error {
		return i.LoadImage(ctx, c.App.Name, m, c.Env.Stdin, c.Events().WithApp(c.App.Name))
	})
}

func fromArchive(c *cli.Call) error {
	a := sources.Archive{Type: c.Value("archive-type"), Stdin: c.Env.Stdin}
	words := c.Args
	switch {
	case c.Dash == 0: // "--" is the address; flags after it are words
		var err error
		if words, err = typeAfterDash(c, &a); err != nil {
			return err
		}
	case len(words) == 0 || words[0] == "":
		return c.UsageError("Please specify an archive url or -- to fetch the archive from stdin")
	default:
		a.URL, words = words[0], words[1:]
	}
	if len(words) > 2 {
		return c.UsageError("Unexpected argument %q", words[2])
	}
	if !slices.Contains(sources.ArchiveTypes, a.Type) {
		return cli.Refuse("Invalid archive type specified, valid archive types include: %s", strings.Join(sources.ArchiveTypes, ", "))
	}
	if a.URL == "" && cli.AtTerminal(c.Env.Stdin) {
		return cli.Refuse("Expecting %s archive on STDIN", a.Type)
	}
	a.Author = author(words)
	return deploy(c, func(ctx context.Context, i *sources.Importer) error {
		return i.FromArchive(ctx, c.App.Name, a, c.Events().WithApp(c.App.Name))
	})
}

// typeAfterDash takes --archive-type from the words after "--", where Dokku reads it too.
func typeAfterDash(c *cli.Call, a *sources.Archive) ([]string, error) {
	var words []string
	for i := 0; i < len(c.Args); i++ {
		value, joined := strings.CutPrefix(c.Args[i], "--archive-type=")
		switch {
		case joined:
			a.Type = value
		case c.Args[i] == "--archive-type" && i+1 < len(c.Args):
			i++
			a.Type = c.Args[i]
		case strings.HasPrefix(c.Args[i], "--"):
			return nil, fmt.Errorf("cannot use %q after --, which stands for standard input: put flags before the app", c.Args[i])
		default:
			words = append(words, c.Args[i])
		}
	}
	return words, nil
}
