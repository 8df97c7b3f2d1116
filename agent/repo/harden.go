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

// A gitSetting is one without which git loses what was pushed when the power goes.
type gitSetting struct {
	section, key, Value string
	// enough reports whether another value does as well.
	enough func(string) bool
}

func (g gitSetting) Name() string { return g.section + "." + g.key }

// durable are these settings. Versions of git that do not know one pass over it:
// before 2.36 git syncs packs always and refs never, see secure.
var durable = []gitSetting{
	{"core", "fsync", "committed,reference", func(v string) bool {
		parts := strings.Split(strings.ReplaceAll(v, " ", ""), ",")
		has := func(name string) bool { return slices.Contains(parts, name) }
		return (has("all") || has("reference")) && !strings.Contains(v, "-") && !has("none")
	}},
	{"receive", "unpackLimit", "1", func(v string) bool { return v == "1" }},
}

// Lacking are the settings that a repository does not have. With unset only those
// of which it says nothing.
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

// Harden makes git itself sync what is pushed, in a repository that an older version
// has made. What an administrator has set otherwise stays, unless all is true. The
// caller holds the app's lock.
func Harden(d disk.Disk, dir string, all bool) error {
	list, err := Lacking(dir, !all)
	if len(list) == 0 || err != nil {
		return err
	}
	path := filepath.Join(dir, "config")
	text, err := os.ReadFile(path)
	if err == nil {
		text = append([]byte(strings.TrimRight(string(text), "\n")), '\n')
		for _, g := range list { // of values that are given twice git takes the last
			text = fmt.Appendf(text, "[%s]\n\t%s = %s\n", g.section, g.key, g.Value)
		}
		err = ReplaceLocked(d, path, text)
	}
	if err != nil {
		return fmt.Errorf("cannot change the configuration of %s: %w", dir, err)
	}
	return nil
}
