package resources

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
)

var storageCommands = slices.Concat(entryCommands, []cli.Spec{
	{
		Use: "storage:ensure-directory NAME", Role: cli.Admin, Short: "Create a folder for apps to mount",
		Long: "It creates the folder in the data root, " + app.DefaultStorageRoot + " by default, and makes the user of the\n" +
			"app's processes its owner. It does not change the contents.",
		Example: "dokku storage:ensure-directory hello --chown false",
		Flags: func(f *pflag.FlagSet) {
			f.String("chown", "herokuish", "the owner: herokuish (32767), heroku (1000), paketo (2000), root (0), a number, or false to keep it")
		},
		Values: map[string]func(*cli.Call) []string{"chown": cli.OneOfWords("herokuish", "heroku", "paketo", "root", "false")},
		Run:    ensureDirectory,
	},
	{
		Use: "storage:list APP", Role: cli.Operator, Short: "List the app's mounts",
		Flags:  func(f *pflag.FlagSet) { f.String("format", "text", "text or json") },
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("text", "json")},
		Run:    listMounts,
	},
	{
		Use: "storage:mount APP SOURCE:DIR[:ro]", Role: cli.Admin, Short: "Mount a folder below the data root, a volume, or a storage entry",
		Long: "It takes effect with the next deploy or restart, which creates a missing volume.\n" +
			"Neither apps:destroy nor storage:unmount removes the folder or volume. With --container-dir, SOURCE may\n" +
			"be an entry (storage:create), and a mount that the app has there already gets these options instead.",
		Example: "dokku storage:mount hello " + app.DefaultStorageRoot + "/hello:/app/storage\ndokku storage:mount hello data --container-dir /data --process-type web",
		Missing: "Please specify two paths delimited by colon.",
		Flags:   mountFlags, Run: mountStorage,
	},
	storageReport.Spec("Show the app's mounts"),
	{
		Use: "storage:unmount APP SOURCE:DIR[:ro]", Role: cli.Admin, Short: "Remove a mount from the app",
		Long:    "It takes effect with the next deploy or restart. The folder or volume stays.",
		Flags:   containerDir,
		Missing: "Please specify two paths delimited by colon.",
		Words: func(c *cli.Call) []string {
			return texts(c.App.State.Mounts)
		},
		Run: unmountStorage,
	},
})

var storageReport = cli.Reporter{
	Noun: "storage",
	Keys: []string{"storage-attachment.", "storage-build-mounts", "storage-deploy-mounts", "storage-run-mounts"},
	Rest: "N.FIELD",
	Collect: func(_ *cli.Call, app *app.App, _ string) (map[string]string, error) {
		values := map[string]string{"storage-build-mounts": "", "storage-deploy-mounts": inPhase(app, "deploy"), "storage-run-mounts": inPhase(app, "run")}
		for i, m := range app.State.Mounts {
			attachment(values, i+1, m)
		}
		return values, nil
	},
}

// inPhase returns the app's mounts in a phase as options of docker run.
func inPhase(a *app.App, phase string) string {
	var list []string
	for _, m := range a.State.Mounts {
		if m.Phase == "" || m.Phase == phase {
			list = append(list, "-v "+m.String())
		}
	}
	return strings.Join(list, " ")
}

// attachment adds the values of the app's nth mount, as Dokku 0.38 reports it. The name of
// its entry is the source, by which storage:unmount --container-dir finds it.
func attachment(values map[string]string, n int, m app.Mount) {
	for field, value := range map[string]string{
		"container-path": m.Target, "entry-name": cmp.Or(m.Entry, m.Source), "host-path": m.Source,
		"phases": cmp.Or(m.Phase, "deploy,run"), "process-type": m.ProcessType,
		"readonly": strconv.FormatBool(m.ReadOnly), "subpath": m.Subpath, "volume-chown": "", "volume-options": m.Options,
	} {
		values["storage-attachment."+strconv.Itoa(n)+"."+field] = value
	}
}

// chownUsers are the owners that ensure-directory can set, as in Dokku; -1 keeps the owner.
var chownUsers = map[string]int{"herokuish": 32767, "heroku": 1000, "paketo": 2000, "packeto": 2000, "root": 0, "false": -1}

var (
	folderPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)
	volumePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)
)

func ensureDirectory(c *cli.Call) error {
	name := c.Args[0]
	if !folderPattern.MatchString(name) {
		return cli.Refuse("Invalid directory name %q: it needs letters, digits, _, . and -, and begins with a letter or digit", event.OneLine(name))
	}
	uid, err := owner(c.Value("chown"))
	if err != nil {
		return err
	}
	return c.Server.EnsureDirectory(c.Ctx, name, uid, c.Events())
}

// owner returns the number of the user that --chown names; -1 keeps the owner.
func owner(name string) (uid int, err error) {
	if uid, ok := chownUsers[name]; ok {
		return uid, nil
	}
	number, err := strconv.ParseUint(name, 10, 16)
	if err != nil {
		return 0, cli.Refuse("Unsupported chown permissions %q, use one of: herokuish, heroku, paketo, root, false, or a number from 0 to 65535",
			event.OneLine(name))
	}
	return int(number), nil
}

func containerDir(f *pflag.FlagSet) {
	f.String("container-dir", "", "the folder in the container, with SOURCE alone as the argument")
}

// mountText returns the mount of the command line: SOURCE:DIR, or SOURCE --container-dir DIR
// as in Dokku 0.38.
func mountText(c *cli.Call) string {
	if dir := c.Value("container-dir"); dir != "" {
		return c.Args[0] + ":" + dir
	}
	return c.Args[0]
}

// parseMount reads a mount as docker run -v does. mode is "" without one.
func parseMount(text string) (m app.Mount, mode string, err error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return m, "", cli.Refuse("Storage path must be two valid paths divided by colon.")
	}
	m.Source, m.Target = parts[0], parts[1]
	if len(parts) == 3 {
		mode = parts[2]
		if err := mountOptions(&m, mode); err != nil {
			return m, "", err
		}
	}
	if err := checkTarget(m.Target); err != nil {
		return m, "", err
	}
	m.Target = path.Clean(m.Target)
	switch {
	case m.Volume() && (strings.ContainsAny(m.Source, "/\\") || strings.HasPrefix(m.Source, ".")):
		return m, "", cli.Refuse("Storage path %q is not absolute: it must begin with /, or be the name of a volume", event.OneLine(m.Source))
	case m.Volume() && (!volumePattern.MatchString(m.Source) || len(m.Source) > 200):
		return m, "", cli.Refuse("Invalid volume name %q: it needs at least two letters, digits, _, . and -, and begins with a letter or digit",
			event.OneLine(m.Source))
	case !m.Volume():
		m.Source = filepath.Clean(m.Source)
	}
	return m, mode, nil
}

// checkTarget returns an error for a path in a container where nothing can be mounted.
func checkTarget(target string) error {
	clean := path.Clean(target)
	if !path.IsAbs(target) {
		return cli.Refuse("Container path %q is not absolute: it must begin with /", event.OneLine(target))
	}
	for _, taken := range []string{"/proc", "/sys"} {
		if clean == taken || strings.HasPrefix(clean, taken+"/") {
			return cli.Refuse("Container path %s cannot be mounted: %s belongs to the kernel", clean, taken)
		}
	}
	if clean == "/" {
		return cli.Refuse("Container path / cannot be mounted: it is the root of the image")
	}
	return nil
}

func mountStorage(c *cli.Call) error {
	set, err := c.Settings()
	if err != nil {
		return err
	}
	m, err := givenMount(c, set)
	if err != nil {
		return err
	}
	named := c.Value("container-dir") != ""
	if !m.Volume() {
		if m.Subpath == "" && newFolder(set, m.Source) { // as the engine makes it for Dokku
			if err := c.Server.EnsureDirectory(c.Ctx, filepath.Base(m.Source), chownUsers["false"], c.Events()); err != nil {
				return err
			}
		}
		if err := mountable(c, set, m, c.App.State.Isolated()); err != nil {
			return err
		}
	}
	return c.ChangeNext("storage:mount", func(st *app.State) error {
		for i, have := range st.Mounts {
			switch {
			case have.Target == m.Target && named && m.Entry == have.Entry && (m.Entry != "" || m.Source == have.Source):
				st.Mounts[i] = m
				return nil
			case have.Target == m.Target && have.Source == m.Source:
				return cli.Refuse("Mount path already exists.")
			case have.Target == m.Target:
				return cli.Refuse("Container path %s is taken by %s: unmount that first (storage:unmount)", m.Target, have)
			}
		}
		st.Mounts = append(st.Mounts, m)
		return nil
	})
}

// mountable returns an error if a folder may not be mounted. A folder inside one directly below the
// data root is refused for isolated apps; others may have one that somebody on the server itself
// asks for, as apps from before isolation have.
func mountable(c *cli.Call, set app.Settings, m app.Mount, isolated bool) error {
	_, err := set.DirectPath(m.Source)
	var nested *app.NestedError
	if !errors.As(err, &nested) || isolated || c.Env.User != "" {
		return err
	}
	c.Warn("%s", err)
	if _, err := os.Lstat(m.Source); m.Subpath != "" && errors.Is(err, fs.ErrNotExist) {
		c.Warn("%s does not exist yet: processes do not start without it", m.Source)
		return nil
	}
	_, err = set.HostPath(m.Source)
	return err
}

// newFolder reports whether path is that of a folder that storage:ensure-directory would make.
func newFolder(set app.Settings, path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist) && filepath.Dir(path) == set.StorageDir() && folderPattern.MatchString(filepath.Base(path))
}

func unmountStorage(c *cli.Call) error {
	set, err := c.Settings()
	if err != nil {
		return err
	}
	if _, ok := set.StorageEntries[c.Args[0]]; ok && c.Value("container-dir") == "" {
		return unmountEntry(c, c.Args[0])
	}
	m, mode, err := parseMount(mountText(c))
	if err != nil {
		return err
	}
	return c.ChangeNext("storage:unmount", func(st *app.State) error {
		same := func(have app.Mount) bool {
			if have.Entry != "" && c.Value("container-dir") != "" {
				return have.Entry == m.Source && have.Target == m.Target
			}
			return have.Source == m.Source && have.Target == m.Target && (mode == "" || have.ReadOnly == m.ReadOnly)
		}
		if !slices.ContainsFunc(st.Mounts, same) {
			return cli.Refuse("Mount path does not exist.")
		}
		st.Mounts = slices.DeleteFunc(st.Mounts, same)
		return nil
	})
}

func listMounts(c *cli.Call) error {
	format := c.Value("format")
	if err := cli.OneOf("format", format, "text", "json"); err != nil {
		return err
	}
	if format == "json" {
		type entry struct {
			Name    string `json:"entry_name,omitempty"`
			Source  string `json:"host_path"`
			Target  string `json:"container_path"`
			Options string `json:"volume_options"`
		}
		list := []entry{}
		for _, m := range c.App.State.Mounts {
			_, options, _ := strings.Cut(strings.TrimPrefix(m.String(), m.Source+":"+m.Target), ":")
			list = append(list, entry{m.Entry, m.Source, m.Target, options})
		}
		return c.PrintJSON(list)
	}
	if c.Headings() {
		c.Print("-----> %s volume bind-mounts:\n", c.App.Name)
	}
	indent := "     "
	if c.Quiet {
		indent = ""
	}
	for _, m := range texts(c.App.State.Mounts) {
		c.Print("%s%s\n", indent, m)
	}
	return nil
}

func texts(mounts []app.Mount) []string {
	var list []string
	for _, m := range mounts {
		list = append(list, m.String())
	}
	return list
}
