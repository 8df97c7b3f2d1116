package resources

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

// entryCommands are about storage under a name, as Dokku 0.38 has it.
var entryCommands = []cli.Spec{
	{
		Use: "storage:create NAME [PATH]", Role: cli.Admin, Short: "Give a folder below the data root, or a volume, a name by which apps mount it",
		Long: "PATH is a folder or the name of a volume; without it, it makes the folder NAME in the data root.\n" +
			"An entry that exists gets these values.",
		Example: "dokku storage:create data --chown heroku",
		Missing: "Please specify a storage entry name", Flags: createFlags, Run: createEntry,
	},
	{
		Use: "storage:destroy NAME", Role: cli.Admin, Short: "Remove a name of storage:create; the folder or volume stays",
		Missing: "Please specify a storage entry name", Words: entryNames,
		Flags: func(f *pflag.FlagSet) {
			f.Bool("force", false, "do not ask for confirmation")
			f.Bool("destroy-host-dir", false, "refused: nothing here removes a folder with its data")
		},
		Run: destroyEntry,
	},
	{
		Use: "storage:info NAME", Role: cli.Admin, Short: "Show what storage:create stored", Missing: "Please specify a storage entry name", Words: entryNames,
		Flags: textOrJSON, Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("text", "json")},
		Run: showEntry,
	},
	{
		Use: "storage:list-entries", Role: cli.Admin, Short: "List the names of storage:create",
		Flags: func(f *pflag.FlagSet) {
			textOrJSON(f)
			f.String("scheduler", "", "only those of a scheduler: all are docker-local's")
		},
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("text", "json")},
		Run:    listEntries,
	},
}

const scheduler = "docker-local"

// withoutEffect are the flags of storage:create that are another scheduler's.
var withoutEffect = []string{"access-mode", "mode", "namespace", "size", "storage-class-name"}

func createFlags(f *pflag.FlagSet) {
	f.String("path", "", "as PATH")
	f.String("chown", "", "the owner: herokuish (32767), heroku (1000), paketo (2000), root (0), a number, or false to keep it")
	f.StringArray("annotation", nil, "KEY=VALUE to store with it, more than once")
	f.StringArray("label", nil, "KEY=VALUE to store with it, more than once")
	f.String("reclaim-policy", "", "Retain, the only one: nothing removes a folder")
	f.String("scheduler", scheduler, "docker-local, the only one")
	for _, name := range withoutEffect {
		f.String(name, "", "refused: it has no effect on one server")
	}
}

func textOrJSON(f *pflag.FlagSet) { f.String("format", "text", "text or json") }

func entryNames(c *cli.Call) []string {
	set, err := c.Settings()
	if err != nil || len(c.Args) > 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(set.StorageEntries))
}

// entryPattern is that of Dokku, where the name is that of a resource of Kubernetes too.
var entryPattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,43}[a-z0-9])?$`)

func createEntry(c *cli.Call) error {
	name, e := c.Args[0], app.StorageEntry{Chown: c.Value("chown")}
	if err := checkEntry(c, name); err != nil {
		return err
	}
	uid := chownUsers["false"]
	var err error
	if e.Chown != "" {
		if uid, err = owner(e.Chown); err != nil {
			return err
		}
	}
	if e.Annotations, err = keyValues("annotation", c.List("annotation")); err != nil {
		return err
	}
	if e.Labels, err = keyValues("label", c.List("label")); err != nil {
		return err
	}
	set, err := c.Settings()
	if err != nil {
		return err
	}
	if e.HostPath, err = entryPath(c, set, name, uid); err != nil {
		return err
	}
	if _, exists := set.StorageEntries[name]; exists {
		c.Events().Step("Storage entry %s already exists, leaving in place", name)
	}
	err = c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error {
		set.StorageEntries = app.Merged(set.StorageEntries, map[string]app.StorageEntry{name: e})
		return nil
	})
	if err == nil {
		c.Print("-----> Storage entry %s created\n", name)
	}
	return err
}

func checkEntry(c *cli.Call, name string) error {
	switch {
	case !entryPattern.MatchString(name):
		return cli.Refuse("Invalid storage entry name %q: it needs lowercase letters, digits and -, begins and ends with a letter or digit, and has at most 45 characters",
			event.OneLine(name))
	case strings.HasPrefix(name, "legacy-"):
		return cli.Refuse("Invalid storage entry name %q: legacy- begins the names of mounts without an entry", name)
	case c.Value("scheduler") != scheduler:
		return cli.Refuse("Invalid scheduler %q: apps run on this server alone: %s", event.OneLine(c.Value("scheduler")), scheduler)
	case c.Value("reclaim-policy") != "" && c.Value("reclaim-policy") != "Retain":
		return cli.Refuse("Invalid reclaim-policy %q: nothing removes a folder with its data, remove it on the server: Retain", event.OneLine(c.Value("reclaim-policy")))
	}
	for _, flag := range withoutEffect {
		if c.Value(flag) != "" {
			return cli.Refuse("--%s has no effect on this server: remove it", flag)
		}
	}
	return nil
}

// entryPath returns the entry's folder, which it makes below the data root, or its volume.
func entryPath(c *cli.Call, set app.Settings, name string, uid int) (string, error) {
	path := c.Value("path")
	if len(c.Args) > 1 {
		path = c.Args[1]
	}
	if path == "" {
		path = filepath.Join(set.StorageDir(), name)
	}
	m, _, err := parseMount(path + ":/x")
	if err != nil {
		return "", err
	}
	if m.Volume() {
		return m.Source, nil
	}
	if filepath.Dir(m.Source) == set.StorageDir() && folderPattern.MatchString(filepath.Base(m.Source)) {
		return m.Source, c.Server.EnsureDirectory(c.Ctx, filepath.Base(m.Source), uid, c.Events())
	}
	if uid != chownUsers["false"] {
		return "", cli.Refuse("--chown is only supported when the storage entry uses the default host path: set the owner of %s on the server", m.Source)
	}
	return m.Source, mountable(c, set, m, false)
}

func keyValues(flag string, list []string) (map[string]string, error) {
	var m map[string]string
	for _, pair := range list {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, cli.Refuse("Invalid %s %q: write KEY=VALUE", flag, event.OneLine(pair))
		}
		cli.Put(&m, key, value)
	}
	return m, nil
}

// entry returns the entry that the command line names.
func entry(c *cli.Call) (app.StorageEntry, error) {
	set, err := c.Settings()
	if err != nil {
		return app.StorageEntry{}, err
	}
	e, ok := set.StorageEntries[c.Args[0]]
	if !ok {
		return e, cli.Refuse("Storage entry %q does not exist: dokku storage:list-entries", event.OneLine(c.Args[0]))
	}
	return e, nil
}

func destroyEntry(c *cli.Call) error {
	e, err := entry(c)
	if err != nil {
		return err
	}
	name := c.Args[0]
	if c.Flag("destroy-host-dir") {
		return cli.Refuse("--destroy-host-dir is not supported: remove %s on the server", e.HostPath)
	}
	users, err := mountedBy(c, name)
	if err != nil {
		return err
	}
	if len(users) > 0 {
		return cli.Refuse("Storage entry %q is still mounted by %s: unmount it there first", name, strings.Join(users, ", "))
	}
	if !c.Force && !c.Flag("force") {
		if err := c.Confirm(name, "the storage entry "+name+", not "+e.HostPath); err != nil {
			return err
		}
	}
	err = c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error {
		delete(set.StorageEntries, name)
		return nil
	})
	if err != nil {
		return err
	}
	c.Print("-----> Storage entry %s destroyed\n", name)
	kind := "folder"
	if !filepath.IsAbs(e.HostPath) {
		kind = "volume"
	}
	c.Print("       Kept: %s %s\n", kind, e.HostPath)
	return nil
}

// mountedBy returns the apps that mount an entry.
func mountedBy(c *cli.Call, name string) (users []string, err error) {
	apps, err := c.Server.Env.Store.Apps()
	if err != nil {
		return nil, err
	}
	for _, user := range apps {
		a, err := c.Server.Env.Store.Load(user)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(a.State.Mounts, func(m app.Mount) bool { return m.Entry == name }) {
			users = append(users, user)
		}
	}
	return users, nil
}

// shownEntry is an entry in Dokku's JSON.
type shownEntry struct {
	Name      string `json:"name"`
	Scheduler string `json:"scheduler"`
	app.StorageEntry
	SchemaVersion int `json:"schema_version"`
}

func shown(name string, e app.StorageEntry) shownEntry { return shownEntry{name, scheduler, e, 1} }

func showEntry(c *cli.Call) error {
	e, err := entry(c)
	if err != nil {
		return err
	}
	if err := cli.OneOf("format", c.Value("format"), "text", "json"); err != nil {
		return err
	}
	if c.Value("format") == "json" {
		return c.PrintJSON(shown(c.Args[0], e))
	}
	if c.Headings() {
		c.Print("-----> Storage entry %s\n", c.Args[0])
	}
	rows := [][2]string{{"Scheduler:", scheduler}, {"Host path:", e.HostPath}}
	if e.Chown != "" {
		rows = append(rows, [2]string{"Chown:", e.Chown})
	}
	for _, row := range rows {
		c.Print("       %-17s %s\n", row[0], row[1])
	}
	return nil
}

func listEntries(c *cli.Call) error {
	set, err := c.Settings()
	if err != nil {
		return err
	}
	if err := cli.OneOf("format", c.Value("format"), "text", "json"); err != nil {
		return err
	}
	list := []shownEntry{}
	for _, name := range slices.Sorted(maps.Keys(set.StorageEntries)) {
		if s := c.Value("scheduler"); s == "" || s == scheduler {
			list = append(list, shown(name, set.StorageEntries[name]))
		}
	}
	if c.Value("format") == "json" {
		return c.PrintJSON(list)
	}
	heading := "Storage entries:"
	if len(list) == 0 {
		heading = "No storage entries registered"
	}
	if c.Headings() {
		c.Print("-----> %s\n", heading)
	}
	for _, e := range list {
		c.Print("       %s\t%s\t%s\n", e.Name, e.Scheduler, e.HostPath)
	}
	return nil
}
