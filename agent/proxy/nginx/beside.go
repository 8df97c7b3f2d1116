package nginx

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"dokku/agent/proxy"
)

// usersFile is the list of an app's users, in its folder.
const usersFile = "users"

// Redirected returns the redirects of the names of the server.
func (b block) Redirected() (list []proxy.Redirect) {
	for _, r := range b.Redirects {
		if slices.Contains(b.names, r.From) {
			list = append(list, r)
		}
	}
	return list
}

// Asks returns whom the server lets in; nil: everybody.
func (b block) Asks() *proxy.Auth {
	if b.open {
		return nil
	}
	return b.Auth
}

// apart divides servers whose names are not all asked for a password: nginx asks for a
// server, chosen by the Host header, or for none of its names.
func apart(blocks []block, auth *proxy.Auth) (list []block) {
	if auth == nil || len(auth.Domains) == 0 {
		return blocks
	}
	asks := serverNames(auth.Domains)
	for _, b := range blocks {
		asked, open := b, b
		asked.names, open.names, open.open = nil, nil, true
		for _, name := range b.names {
			if slices.Contains(asks, name) {
				asked.names = append(asked.names, name)
			} else {
				open.names = append(open.names, name)
			}
		}
		for _, half := range []block{asked, open} {
			if len(half.names) > 0 {
				list = append(list, half)
			}
		}
	}
	return list
}

// Users returns the file of the users who may come in; "" if there are none.
func (b block) Users() string {
	if b.Auth == nil || b.Auth.ID == "" {
		return ""
	}
	return filepath.Join(b.server.files, b.Auth.ID, usersFile)
}

// MaintenancePage returns the built-in page of an app in maintenance.
func (b block) MaintenancePage() page {
	p := worksPage
	p.HSTS = b.HSTS() != ""
	return p
}

// MaintenanceFile returns the page without what only an error has, for an own page's files.
func (b block) MaintenanceFile() page { return page{HSTS: b.HSTS() != ""} }

// ownPage is an app's own page for maintenance: the name of its file and its folder.
type ownPage struct{ Dir, File string }

// OwnMaintenance returns the app's own page; nil if it has none.
func (b block) OwnMaintenance() *ownPage {
	if b.Maintenance == nil || b.Maintenance.Page.ID == "" {
		return nil
	}
	return &ownPage{filepath.Join(b.server.files, b.Maintenance.Page.ID), proxy.MaintenancePage}
}

// copyFiles copies the files that nginx's workers read to where they can read them. The
// list of users is open to all who know its folder's name, the hash of salted hashes, which
// stands in files of the agent's user alone; the folder of folders tells no names.
func (n *Proxy) copyFiles(r proxy.Route) error {
	if m := r.Maintenance; m != nil && m.Page.ID != "" {
		if err := n.copyFolder(m.Page.ID, func() (map[string][]byte, error) { return filesIn(m.Page.Dir) }); err != nil {
			return fmt.Errorf("cannot route %s: cannot copy its maintenance page: %w: run dokku maintenance:custom-page again", r.App, err)
		}
	}
	if a := r.Auth; a != nil && a.ID != "" {
		users := func() (map[string][]byte, error) {
			if a.Users == nil {
				return nil, fmt.Errorf("the list is gone")
			}
			return map[string][]byte{usersFile: a.Lines()}, nil
		}
		if err := n.copyFolder(a.ID, users); err != nil {
			return fmt.Errorf("cannot route %s: cannot write the list of its users: %w", r.App, err)
		}
	}
	return nil
}

// copyFolder makes a folder that workers can read, unless it is there.
func (n *Proxy) copyFolder(id string, read func() (map[string][]byte, error)) error {
	to := filepath.Join(n.config.Files, id)
	if _, err := os.Stat(to); err == nil {
		return nil
	}
	files, err := read()
	if err != nil {
		return err
	}
	if _, err := os.Stat(n.config.Files); err != nil {
		if err := n.disk.Mkdir(n.config.Files, 0o711); err != nil {
			return fmt.Errorf("%w; to fix: install -d -m 0711 -o dokku -g dokku %s", err, n.config.Files)
		}
		if err := os.Chmod(n.config.Files, 0o711); err != nil { // regardless of the umask
			return err
		}
	}
	return n.disk.Tree(to, files, 0o755, 0o644)
}

// filesIn reads the files of a folder, by their path in it.
func filesIn(dir string) (map[string][]byte, error) {
	if dir == "" {
		return nil, fmt.Errorf("it is gone")
	}
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	return files, err
}
