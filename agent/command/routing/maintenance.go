package routing

import (
	"archive/tar"
	"errors"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

// maxPage and maxPageFiles bound an app's own page: bytes of its files, and their number.
const (
	maxPage      = 16 << 20
	maxPageFiles = 500
)

const howPage = "tar c maintenance.html | dokku maintenance:custom-page APP"

var maintenanceCommands = []cli.Spec{
	status("maintenance", "Maintenance", func(st *app.State) bool { return st.Maintenance }),
	{
		Use: "maintenance:custom-page APP", Role: cli.Operator, Short: "Show a page of your own during maintenance",
		Long: "Standard input is a tar with maintenance.html and the images and styles that it names, with absolute\n" +
			"paths (/logo.png). It replaces the former page, also while the app is in maintenance.",
		Example: howPage,
		Run:     importPage,
	},
	{
		Use: "maintenance:custom-page-export APP", Role: cli.Operator, Short: "Write the page of your own as a tar",
		Example: "dokku maintenance:custom-page-export hello > page.tar",
		Run:     exportPage,
	},
	{
		Use: "maintenance:custom-page-remove APP", Role: cli.Operator, Short: "Go back to the built-in page",
		Run: func(c *cli.Call) error {
			log := c.Events().WithApp(c.App.Name)
			if c.App.State.MaintenancePage == "" {
				log.Step("No custom maintenance page set")
				return nil
			}
			log.Step("Removing custom maintenance page...")
			err := c.Server.SetMaintenancePage(c.Ctx, c.App.Name, "maintenance:custom-page-remove", nil, log)
			if err == nil {
				log.Detail("done")
			}
			return err
		},
	},
	{
		Use: "maintenance:disable APP", Role: cli.Operator, Short: "Let visitors reach the app again",
		Run: func(c *cli.Call) error { return setMaintenance(c, false) },
	},
	{
		Use: "maintenance:enable APP", Role: cli.Operator, Short: "Answer all visitors with a page and status 503",
		Long: "It holds until maintenance:disable: through deploys, restarts and ps:stop. Certificates are still renewed.",
		Run:  func(c *cli.Call) error { return setMaintenance(c, true) },
	},
	maintenanceReport.Spec("Show whether the app is in maintenance"),
}

var maintenanceReport = cli.Reporter{
	Noun: "maintenance",
	Own:  []string{"custom-page-sha256"},
	Keys: []string{"maintenance-custom-page-sha256", "maintenance-enabled"},
	Collect: func(_ *cli.Call, a *app.App, _ string) (map[string]string, error) {
		return map[string]string{
			"maintenance-enabled":            strconv.FormatBool(a.State.Maintenance),
			"maintenance-custom-page-sha256": a.State.MaintenancePage,
		}, nil
	},
}

// status is the command NOUN APP of Dokku's plugins, which says whether what the noun is
// about is on.
func status(noun, title string, on func(*app.State) bool) cli.Spec {
	return cli.Spec{
		Use: noun + " [APP]", Role: cli.Operator, Scoped: true, Short: "Show whether it is on for the app",
		Long: "Without an app, it lists the " + noun + " commands.", Whole: true,
		Run: func(c *cli.Call) error {
			if c.App == nil {
				return c.ListNoun(noun)
			}
			log := c.Events().WithApp(c.App.Name)
			log.Step("%s status of %s:", title, c.App.Name)
			log.Detail("%s", map[bool]string{true: "on", false: "off"}[on(&c.App.State)])
			return nil
		},
	}
}

func setMaintenance(c *cli.Call, on bool) error {
	log := c.Events().WithApp(c.App.Name)
	op, doing, already := "maintenance:disable", "Disabling", "disabled"
	if on {
		op, doing, already = "maintenance:enable", "Enabling", "enabled"
	}
	if c.App.State.Maintenance == on {
		log.Step("Maintenance mode already %s", already)
		return nil
	}
	log.Step("%s maintenance mode for %s...", doing, c.App.Name)
	err := c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: op, Changes: deploy.ChangesRoute}, log, func(st *app.State) error {
		st.Maintenance = on
		return nil
	})
	if err != nil {
		return err
	}
	log.Detail("done")
	warnWithoutProxy(c)
	return nil
}

// warnWithoutProxy says that what was set has no effect where requests reach the app's
// processes themselves.
func warnWithoutProxy(c *cli.Call) {
	if c.App.State.ProxyDisabled {
		c.Events().WithApp(c.App.Name).Warn("The proxy of %s is disabled, so this has no effect until dokku proxy:enable %[1]s", c.App.Name)
	}
}

func importPage(c *cli.Call) error {
	if c.Env.Stdin == nil || cli.AtTerminal(c.Env.Stdin) {
		return cli.Refuse("Tar archive containing at least maintenance.html expected on stdin: %s", howPage)
	}
	files, err := readPage(c.Env.Stdin)
	if err != nil {
		return err
	}
	log := c.Events().WithApp(c.App.Name)
	log.Step("Importing custom maintenance page...")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		log.Detail("%s", name)
	}
	if err := c.Server.SetMaintenancePage(c.Ctx, c.App.Name, "maintenance:custom-page", files, log); err != nil {
		return err
	}
	log.Detail("done")
	return nil
}

func exportPage(c *cli.Call) error {
	id := c.App.State.MaintenancePage
	if id == "" {
		return cli.Refuse("No custom maintenance page set for %s: %s", c.App.Name, howPage)
	}
	w := tar.NewWriter(c.Env.Stdout)
	if err := w.AddFS(os.DirFS(c.Server.Env.Store.Page(c.App.Name, id))); err != nil {
		return err
	}
	return w.Close()
}

// readPage reads the files of a page from a tar, by their path.
func readPage(r io.Reader) (map[string][]byte, error) {
	files, size := map[string][]byte{}, int64(0)
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, cli.Refuse("Standard input is no tar archive (%w): %s", err, howPage)
		}
		switch h.Typeflag {
		case tar.TypeReg:
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		default:
			return nil, cli.Refuse("The tar archive has %s, which is neither a file nor a folder: leave it out", event.OneLine(h.Name))
		}
		name := path.Clean(h.Name)
		if path.IsAbs(h.Name) || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
			return nil, cli.Refuse("The tar archive has %s, which lies outside of it: give paths below the folder of maintenance.html", event.OneLine(h.Name))
		}
		data, err := io.ReadAll(io.LimitReader(t, maxPage-size+1))
		if err != nil {
			return nil, cli.Refuse("Standard input is no tar archive (%w): %s", err, howPage)
		}
		files[name] = data
		if size += int64(len(data)); size > maxPage || len(files) > maxPageFiles {
			return nil, cli.Refuse("The page is too large: give at most %d files with %d MB together", maxPageFiles, maxPage>>20)
		}
	}
	if files[proxy.MaintenancePage] == nil {
		return nil, cli.Refuse("Tar archive missing maintenance.html: %s", howPage)
	}
	for name := range files {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if files[dir] != nil {
				return nil, cli.Refuse("The tar archive has %s both as a file and as a folder", event.OneLine(dir))
			}
		}
	}
	return files, nil
}
