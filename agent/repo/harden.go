package repo

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"dokku/agent/disk"
)

// A gitSetting is a setting without which git may lose a push in a power loss.
type gitSetting struct {
	section, key, Value string
	// enough reports whether another value is good enough.
	enough func(string) bool
}

// Name returns the full name of the setting, such as core.fsync.
func (g gitSetting) Name() string { return g.section + "." + g.key }

// durable lists these settings. Git ignores a setting that its version does not know:
// before 2.36 it always syncs packs and never refs, see SyncRefs.
var durable = []gitSetting{
	{"core", "fsync", "committed,reference", func(v string) bool {
		parts := strings.Split(strings.ReplaceAll(v, " ", ""), ",")
		has := func(name string) bool { return slices.Contains(parts, name) }
		return (has("all") || has("reference")) && !strings.Contains(v, "-") && !has("none")
	}},
	{"receive", "unpackLimit", "1", func(v string) bool { return v == "1" }},
}

// Lacking returns the settings of durability that a repository lacks. With unset, it
// returns only those that the repository's configuration does not mention.
func Lacking(dir string, unset bool) ([]gitSetting, error) {
	cfg, err := filesystem.NewStorage(osfs.New(dir), cache.NewObjectLRU(0)).Config()
	if err != nil {
		return nil, fmt.Errorf("cannot read the configuration of %s: %w", dir, err)
	}
	var list []gitSetting
	for _, g := range durable {
		value := cfg.Raw.Section(g.section).Option(g.key)
		if value == "" || !unset && !g.enough(value) {
			list = append(list, g)
		}
	}
	return list, nil
}

// Harden adds the settings of durability to a repository that an older version created.
// It keeps other values of an administrator unless all is true. The caller holds the
// app's lock.
func Harden(d disk.Disk, dir string, all bool) error {
	list, err := Lacking(dir, !all)
	if len(list) == 0 || err != nil {
		return err
	}
	path := filepath.Join(dir, "config")
	text, err := os.ReadFile(path)
	if err == nil {
		text = append([]byte(strings.TrimRight(string(text), "\n")), '\n')
		for _, g := range list { // git uses the last of several values
			text = fmt.Appendf(text, "[%s]\n\t%s = %s\n", g.section, g.key, g.Value)
		}
		err = ReplaceLocked(d, path, text)
	}
	if err != nil {
		return fmt.Errorf("cannot change the configuration of %s: %w", dir, err)
	}
	return nil
}
