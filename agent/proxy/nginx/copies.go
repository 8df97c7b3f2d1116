package nginx

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
)

// copyName is the form of a copy's name: an id, and the end of one that was cut short.
var copyName = regexp.MustCompile(`^([0-9a-f]{8,64}|` + placeholder + `)(\.new)?$`)

// collectCopies removes the copies of certificates, pages and lists of users that no tree
// names. It runs after collect.
func (n *Proxy) collectCopies() {
	dirs := []string{n.certificateDir(), n.config.Files}
	var found [][]os.DirEntry
	some := false
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		found, some = append(found, entries), some || err == nil && len(entries) > 0
	}
	if !some {
		return
	}
	used, err := n.namedCopies(dirs)
	if err != nil {
		return // the next change collects
	}
	for i, dir := range dirs {
		for _, e := range found[i] {
			// Anything else in the folder is not ours.
			if path := filepath.Join(dir, e.Name()); !used[path] && copyName.MatchString(e.Name()) {
				n.disk.RemoveAll(path)
			}
		}
	}
}

// namedCopies are the folders in some folders that the files of all trees name.
func (n *Proxy) namedCopies(dirs []string) (map[string]bool, error) {
	files, err := filepath.Glob(n.tree("*", "*.conf"))
	if err != nil {
		return nil, err
	}
	used, read := map[string]bool{}, map[uint64]bool{}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		// Most files of a tree are those of another one.
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			if read[stat.Ino] {
				continue
			}
			read[stat.Ino] = true
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for _, dir := range dirs {
			for _, part := range strings.Split(string(text), " "+dir+"/")[1:] {
				id, _, _ := strings.Cut(part, "\n")
				id, _, _ = strings.Cut(strings.TrimSuffix(id, ";"), "/")
				used[filepath.Join(dir, id)] = true
			}
		}
	}
	return used, nil
}
