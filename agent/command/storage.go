package command

import (
	"encoding/json"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/pflag"

	"dokku/agent"
)

var storageCommands = []spec{
	{
		use: "storage:ensure-directory NAME", short: "Make a folder for apps to mount",
		long: "It is made in the data root, " + agent.DefaultStorageRoot + " unless the server's settings say otherwise,\n" +
			"and given to the user that the app's processes run as; what is in it stays as it is.",
		example: "dokku storage:ensure-directory hello --chown false",
		flags: func(f *pflag.FlagSet) {
			f.String("chown", "herokuish", "whose it is: herokuish (32767), heroku (1000), paketo (2000), root (0) or false, as it is")
		},
		values: map[string]func(*call) []string{"chown": oneOfWords("herokuish", "heroku", "paketo", "root", "false")},
		run:    ensureDirectory,
	},
	{
		use: "storage:list APP", short: "List the app's mounts",
		flags:  func(f *pflag.FlagSet) { f.String("format", "text", "text or json") },
		values: map[string]func(*call) []string{"format": oneOfWords("text", "json")},
		run:    listMounts,
	},
	{
		use: "storage:mount APP SOURCE:DIR[:ro]", short: "Mount a folder below the data root, or a volume",
		long: "It takes effect with the next deploy or restart. A volume that does not exist is made then.\n" +
			"Neither apps:destroy nor storage:unmount removes what was mounted.",
		example: "dokku storage:mount hello " + agent.DefaultStorageRoot + "/hello:/app/storage",
		missing: "Please specify two paths delimited by colon.",
		run:     mountStorage,
	},
	storageReport.spec("Show the app's mounts"),
	{
		use: "storage:unmount APP SOURCE:DIR[:ro]", short: "Take a mount away from the app",
		long:    "It takes effect with the next deploy or restart, and removes nothing.",
		missing: "Please specify two paths delimited by colon.",
		words: func(c *call) []string {
			return texts(c.app.State.Mounts)
		},
		run: unmountStorage,
	},
}

var storageReport = reporter{
	noun: "storage",
	keys: []string{"storage-build-mounts", "storage-deploy-mounts", "storage-run-mounts"},
	collect: func(_ *call, app *agent.App, _ string) (map[string]string, error) {
		var list []string
		for _, m := range texts(app.State.Mounts) {
			list = append(list, "-v "+m)
		}
		all := strings.Join(list, " ")
		return map[string]string{"storage-build-mounts": "", "storage-deploy-mounts": all, "storage-run-mounts": all}, nil
	},
}

// chownUsers are who ensure-directory gives a folder to, as in Dokku.
var chownUsers = map[string]int{"herokuish": 32767, "heroku": 1000, "paketo": 2000, "packeto": 2000, "root": 0, "false": -1}

var (
	folderPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)
	volumePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)
)

func ensureDirectory(c *call) error {
	name := c.args[0]
	if !folderPattern.MatchString(name) {
		return refuse("Invalid directory name %q: it needs letters, digits, _, . and -, and begins with a letter or digit", oneLine(name))
	}
	uid, ok := chownUsers[c.value("chown")]
	if !ok {
		return refuse("Unsupported chown permissions %q, use one of: herokuish, heroku, paketo, root, false", oneLine(c.value("chown")))
	}
	return c.server.EnsureDirectory(c.ctx, name, uid, c.events())
}

// parseMount reads a mount as docker run -v does. mode is "" where none is given.
func parseMount(text string) (m agent.Mount, mode string, err error) {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 3 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return m, "", refuse("Storage path must be two valid paths divided by colon.")
	}
	m.Source, m.Target = parts[0], parts[1]
	if len(parts) == 3 {
		mode = parts[2]
		if mode != "ro" && mode != "rw" {
			return m, "", refuse("Invalid mount option %q, valid values: ro, rw", oneLine(mode))
		}
		m.ReadOnly = mode == "ro"
	}
	if err := checkTarget(m.Target); err != nil {
		return m, "", err
	}
	m.Target = path.Clean(m.Target)
	switch {
	case m.Volume() && (strings.ContainsAny(m.Source, "/\\") || strings.HasPrefix(m.Source, ".")):
		return m, "", refuse("Storage path %q is not absolute: it has to begin with /, or be the name of a volume", oneLine(m.Source))
	case m.Volume() && (!volumePattern.MatchString(m.Source) || len(m.Source) > 200):
		return m, "", refuse("Invalid volume name %q: it needs at least two letters, digits, _, . and -, and begins with a letter or digit",
			oneLine(m.Source))
	case !m.Volume():
		m.Source = filepath.Clean(m.Source)
	}
	return m, mode, nil
}

// checkTarget refuses places in a container where nothing can be mounted.
func checkTarget(target string) error {
	clean := path.Clean(target)
	if !path.IsAbs(target) {
		return refuse("Container path %q is not absolute: it has to begin with /", oneLine(target))
	}
	for _, taken := range []string{"/proc", "/sys"} {
		if clean == taken || strings.HasPrefix(clean, taken+"/") {
			return refuse("Container path %s cannot be mounted: %s is the kernel's", clean, taken)
		}
	}
	if clean == "/" {
		return refuse("Container path / cannot be mounted: that is the image's own root")
	}
	return nil
}

func mountStorage(c *call) error {
	m, _, err := parseMount(c.args[0])
	if err != nil {
		return err
	}
	set, err := c.server.Settings()
	if err != nil {
		return err
	}
	if !m.Volume() {
		if _, err := set.HostPath(m.Source); err != nil {
			return err
		}
	}
	return c.changeNext("storage:mount", func(st *agent.State) error {
		for _, have := range st.Mounts {
			switch {
			case have.Target == m.Target && have.Source == m.Source:
				return refuse("Mount path already exists.")
			case have.Target == m.Target:
				return refuse("Container path %s is taken by %s: storage:unmount that first", m.Target, have)
			}
		}
		st.Mounts = append(st.Mounts, m)
		return nil
	})
}

func unmountStorage(c *call) error {
	m, mode, err := parseMount(c.args[0])
	if err != nil {
		return err
	}
	return c.changeNext("storage:unmount", func(st *agent.State) error {
		same := func(have agent.Mount) bool {
			return have.Source == m.Source && have.Target == m.Target && (mode == "" || have.ReadOnly == m.ReadOnly)
		}
		if !slices.ContainsFunc(st.Mounts, same) {
			return refuse("Mount path does not exist.")
		}
		st.Mounts = slices.DeleteFunc(st.Mounts, same)
		return nil
	})
}

func listMounts(c *call) error {
	format := c.value("format")
	if err := oneOf("format", format, "text", "json"); err != nil {
		return err
	}
	if format == "json" {
		type entry struct {
			Source  string `json:"host_path"`
			Target  string `json:"container_path"`
			Options string `json:"volume_options"`
		}
		list := []entry{}
		for _, m := range c.app.State.Mounts {
			options := ""
			if m.ReadOnly {
				options = "ro"
			}
			list = append(list, entry{m.Source, m.Target, options})
		}
		data, err := json.Marshal(list)
		c.print("%s\n", data)
		return err
	}
	if c.headings() {
		c.print("-----> %s volume bind-mounts:\n", c.app.Name)
	}
	indent := "     "
	if c.quiet {
		indent = ""
	}
	for _, m := range texts(c.app.State.Mounts) {
		c.print("%s%s\n", indent, m)
	}
	return nil
}

func texts(mounts []agent.Mount) []string {
	var list []string
	for _, m := range mounts {
		list = append(list, m.String())
	}
	return list
}
