package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestInstallFollowsNoLinks: the user that pushes run as, who owns its home, puts links to
// root's files where install.sh makes folders, reads and writes. It gave the user what the
// links named.
func TestInstallFollowsNoLinks(t *testing.T) {
	t.Parallel()
	const nobody = 65534
	functions := installFunctions(t)
	const setUp = `OWNER=nobody HOME_DIR=$1/home DATA=$1/data/storage NGINX_FILES=$1/data/files LIB=$1/lib LOG=$1/log
getent() { [ "$1" = shadow ] && echo 'nobody:*' || echo "nobody:x:65534:65534::$HOME_DIR:/bin/sh"; }
install() { command install -d -m "$3" -o nobody -g nogroup "$8"; }
`
	for _, c := range []struct{ link, at, run, want string }{
		{"home/.ssh", "", "make_user", "cannot make the folders of nobody"},
		{"home/.dokku", "", "make_user", "cannot make the folders of nobody"},
		{"data/storage", "", "make_user", "data/storage: it is a link"},
		{"data", "", "make_user", "cannot use"},
		{"home/.ssh/authorized_keys", "secret", "echo key | put_keys", ""},
		{"home/.ssh/authorized_keys.new", "secret", "echo key | put_keys", "Permission denied"},
		{"home/.ssh/authorized_keys", "secret", "other_keys", ""},
		{"home/.dokku/server.json", "secret", "beside_settings", ""},
		{"home/.dokku/id", "secret", "engine() { echo \"$*\"; }; purge_engine", ""},
	} {
		root, private := t.TempDir(), t.TempDir()
		lab.Must(t, os.Chmod(private, 0o700))
		lab.Must(t, os.WriteFile(filepath.Join(private, "secret"), []byte("words-of-root\n"), 0o600))
		for dir := root; dir != os.TempDir(); dir = filepath.Dir(dir) {
			lab.Must(t, os.Chmod(dir, 0o755))
		}
		for _, dir := range []string{"home", filepath.Dir(c.link)} {
			lab.Must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
		}
		for _, dir := range []string{"home", "home/.ssh", "home/.dokku"} {
			os.Chown(filepath.Join(root, dir), nobody, nobody)
		}
		lab.Must(t, os.Symlink(filepath.Join(private, c.at), filepath.Join(root, c.link)))
		lab.Must(t, os.Lchown(filepath.Join(root, c.link), nobody, nobody))
		before := treeHash(t, private)
		out, err := exec.Command("sh", "-c", functions+setUp+c.run, "./install.sh", root).CombinedOutput()
		if c.want != "" && (err == nil || !strings.Contains(string(out), c.want)) {
			t.Errorf("%s, %s: %v, %s\nwant %s", c.link, c.run, err, out, c.want)
		}
		if strings.Contains(string(out), "words-of-root") {
			t.Errorf("%s, %s told what only root may read: %s", c.link, c.run, out)
		}
		info, err := os.Stat(private)
		lab.Must(t, err)
		if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 || info.Mode().Perm() != 0o700 || treeHash(t, private) != before {
			t.Errorf("%s, %s changed root's folder: it belongs to %d, mode %s", c.link, c.run, owner, info.Mode())
		}
	}
}
