package cgroup

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNone: this server has no cgroup for gits, or none that this user may use.
var ErrNone = errors.New("no cgroup")

const (
	// DefaultName is the name of the cgroups of install.sh, which is that of the user dokku.
	DefaultName = "dokku"
	// Off is the name by which an administrator wants none.
	Off = "off"

	mounted = "/sys/fs/cgroup"
	// rest is where hooks go, beside the cgroups of gits, and keep is that of the unit's own
	// process: in version 2, only the lowest cgroups may have processes.
	rest = "rest"
	keep = "keep"
	// processes are enough for git and for the hooks of an administrator.
	processes = "512"
	// shares are half of what the kernel gives others.
	shares = "512"
)

// controllers are the hierarchies of version 1.
var controllers = []string{"memory", "cpu", "pids"}

// validName is the form of a tree's name.
var validName = regexp.MustCompile(`^dokku[a-z0-9-]{0,15}$`)

// A Tree is where the cgroups of a server's gits are.
type Tree struct {
	Name    string
	root    string // where cgroups are mounted
	unified bool   // version 2
}

// Open returns the tree of a name; "" is DefaultName. The error is an ErrNone with the reason if there
// is none that this user may use.
func Open(name string) (Tree, error) {
	if name == Off {
		return Tree{}, fmt.Errorf("%w (it is switched off in server.json)", ErrNone)
	}
	t, err := named(cmp.Or(name, DefaultName))
	if err != nil {
		return Tree{}, err
	}
	return t, t.usable()
}

// named is Open, whether the tree exists or not.
func named(name string) (Tree, error) {
	if !validName.MatchString(name) {
		return Tree{}, fmt.Errorf("%w (%q is no name of one: it is %s, or begins so)", ErrNone, name, DefaultName)
	}
	var st unix.Statfs_t
	unified := unix.Statfs(mounted, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
	return Tree{Name: name, root: mounted, unified: unified}, nil
}

// Unit is the name of systemd's unit of a tree. In version 2 the tree is the unit's.
func Unit(name string) string { return name + "-git.service" }

// folders are the folders of a cgroup below the tree; "" is the tree itself.
func (t Tree) folders(below string) (list []string) {
	if t.unified {
		return []string{filepath.Join(t.root, "system.slice", Unit(t.Name), below)}
	}
	for _, c := range controllers {
		list = append(list, filepath.Join(t.root, c, t.Name, below))
	}
	return list
}

func (t Tree) usable() error {
	for _, dir := range t.folders("") {
		if err := unix.Access(dir, unix.W_OK); err != nil {
			return fmt.Errorf("%w (%s: %w)", ErrNone, dir, err)
		}
	}
	if !t.unified {
		return nil
	}
	file := filepath.Join(t.folders("")[0], "cgroup.subtree_control")
	data, err := os.ReadFile(file)
	if err == nil && !slices.Contains(strings.Fields(string(data)), "memory") {
		err = fmt.Errorf("%s has no memory", file)
	}
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrNone, err)
	}
	return nil
}

// Leave takes this process out of the cgroup of gits that it was started in.
func (t Tree) Leave() error {
	dirs := t.folders(rest)
	for _, dir := range dirs {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return enter(dirs)
}

// enter moves this process.
func enter(dirs []string) error {
	for _, dir := range dirs {
		if err := write(dir, "cgroup.procs", "0"); err != nil {
			return err
		}
	}
	return nil
}

// write writes a file of a cgroup, which the kernel has made.
func write(dir, file, text string) error {
	f, err := os.OpenFile(filepath.Join(dir, file), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
