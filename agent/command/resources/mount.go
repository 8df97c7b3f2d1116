package resources

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/scale"
)

func mountFlags(f *pflag.FlagSet) {
	containerDir(f)
	f.StringArray("phase", nil, "deploy or run, for the app's processes or one-off containers alone")
	f.String("process-type", "", "the only process type with the mount")
	f.Bool("volume-readonly", false, "mount it read-only")
	f.String("volume-subpath", "", "the path in the entry to mount")
	f.String("volume-options", "", "options of docker, separated by commas: ro, rw, z, Z")
	f.String("volume-chown", "", "refused: storage:create sets the owner")
}

// givenMount returns the mount of the command line.
func givenMount(c *cli.Call, set app.Settings) (app.Mount, error) {
	m, _, err := parseMount(mountText(c))
	if err != nil {
		return m, err
	}
	if e, ok := set.StorageEntries[c.Args[0]]; ok && c.Value("container-dir") != "" {
		m.Entry, m.Source = c.Args[0], e.HostPath
	}
	if options := c.Value("volume-options"); options != "" {
		if err := mountOptions(&m, options); err != nil {
			return m, err
		}
	}
	m.ReadOnly = m.ReadOnly || c.Flag("volume-readonly")
	if sub := c.Value("volume-subpath"); sub != "" {
		switch {
		case m.Volume():
			return m, cli.Refuse("A volume has no subpath here: mount %s as a whole", m.Source)
		case !filepath.IsLocal(sub) || strings.ContainsAny(sub, ":\n"):
			return m, cli.Refuse("Invalid volume-subpath %q: give a path below the folder", event.OneLine(sub))
		}
		m.Subpath, m.Source = filepath.Clean(sub), filepath.Join(m.Source, sub)
	}
	if c.Value("volume-chown") != "" {
		return m, cli.Refuse("--volume-chown is not supported: set the owner of the folder: dokku storage:create %s --chown USER", event.OneLine(c.Args[0]))
	}
	return m, mountScope(c, &m)
}

// mountScope reads which containers have the mount.
func mountScope(c *cli.Call, m *app.Mount) error {
	phases := map[string]bool{}
	for _, list := range c.List("phase") {
		for _, phase := range strings.Split(list, ",") {
			if phase != app.MountDeploy && phase != app.MountRun {
				return cli.Refuse("Invalid phase %q, valid values: %s, %s", event.OneLine(phase), app.MountDeploy, app.MountRun)
			}
			phases[phase] = true
		}
	}
	if len(phases) == 1 {
		for m.Phase = range phases {
		}
	}
	m.ProcessType = c.Value("process-type")
	if m.ProcessType != "" && !scale.ValidType(m.ProcessType) {
		return cli.Refuse("Invalid process type %q: it needs letters, digits, _ and -", event.OneLine(m.ProcessType))
	}
	return nil
}

// mountOptions reads docker's options of a mount.
func mountOptions(m *app.Mount, text string) error {
	for _, option := range strings.Split(text, ",") {
		switch option {
		case "ro", "rw":
			m.ReadOnly = option == "ro"
		case "z", "Z":
			if _, err := os.Stat("/sys/fs/selinux/enforce"); err == nil {
				return cli.Refuse("Mount option %s is not supported with SELinux: label the folder on the server: chcon -Rt container_file_t %s", option, m.Source)
			}
			m.Options = option
		default:
			return cli.Refuse("Invalid mount option %q, valid values: ro, rw, z, Z", event.OneLine(option))
		}
	}
	return nil
}

// unmountEntry removes the one mount of an entry.
func unmountEntry(c *cli.Call, name string) error {
	return c.ChangeNext("storage:unmount", func(st *app.State) error {
		var targets []string
		for _, m := range st.Mounts {
			if m.Entry == name {
				targets = append(targets, m.Target)
			}
		}
		switch len(targets) {
		case 0:
			return cli.Refuse("Storage entry %q is not mounted: dokku storage:list %s", name, c.App.Name)
		case 1:
			st.Mounts = slices.DeleteFunc(st.Mounts, func(m app.Mount) bool { return m.Entry == name })
			return nil
		}
		return cli.Refuse("Storage entry %q is mounted at %s: choose one with --container-dir", name, strings.Join(targets, ", "))
	})
}
