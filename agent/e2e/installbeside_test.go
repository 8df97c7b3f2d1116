package e2e

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// besideScript runs what install.sh install --beside-dokku and uninstall write, below the
// folder $1 and without changes to this machine's users and services.
const besideScript = `
beside
choose_ports --http-port 8181
for name in LIB BIN COMMAND HOME_DIR DATA NGINX_FILES CONF LIMITS NGINX_MAIN NGINX_LIMIT SUDOERS UNIT INIT FIREWALL_UNIT FIREWALL_INIT CGROUPS_UNIT ROTATE CACHE DEMO LOG; do
  eval "$name=$1\$$name"
  eval "case \$$name in */dokku | */dokku/* | */dokku.conf | */dokku-agent*) [ \$name = BIN ] || die \"\$name is \$$name, which is Dokku's\" ;; esac"
done
changed=
getent() { [ "$1 $2" != "passwd dokku-beside" ] || echo "dokku-beside:x:990:990::$HOME_DIR:/bin/sh"; }
usermod() { echo "usermod $*" >>"$LOG"; }
userdel() { echo "userdel $*" >>"$LOG"; }
as_user() { "$@"; }
systemctl() { :; }
visudo() { :; }
nginx_runs() { return 1; }
systemd_runs() { return 0; }
engine_answers() { return 1; }
install() {
  while [ $# -gt 0 ]; do
    case $1 in
      -m | -o | -g) shift 2 ;;
      -*) shift ;;
      *) mkdir -p "$1"; shift ;;
    esac
  done
}
mkdir -p "$LIB" "$(dirname "$LOG")"
cp "$2" "$BIN"
dokku() { DOKKU_ROOT=$HOME_DIR "$BIN" "$@"; }
make_user
beside_settings
HTTP_PORT=1 HTTPS_PORT=2
beside_settings
[ "$HTTP_PORT $HTTPS_PORT" = "8181 8443" ] || die "a second run has the ports $HTTP_PORT $HTTPS_PORT"
write_scripts
printed nginx-conf-beside 0644 "$CONF"
write_unit
firewall_up
cgroups_up
wrap
(cd "$1" && find . -type f | sort) >"$3"
cat "$HOME_DIR/.dokku/server.json" "$COMMAND" "$CONF" "$SUDOERS" "$UNIT" "$FIREWALL_UNIT" "$CGROUPS_UNIT" >"$4"
purge() { rm -rf "$HOME_DIR" "$NGINX_FILES" "$DATA"; rmdir "$(dirname "$DATA")"; }
uninstall --purge
rm -f "$LOG"
`

// treeHash is a hash of the names, modes and contents below a folder.
func treeHash(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	lab.Must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(h, "%s %s %d %s\n", strings.TrimPrefix(path, dir), info.Mode(), len(data), data)
		return err
	}))
	return fmt.Sprintf("%x", h.Sum(nil))
}

// TestInstallBesideDokku: an installation beside Dokku and its end leave every file of Dokku's
// as it was, and nothing behind.
func TestInstallBesideDokku(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for path, content := range map[string]string{
		"home/dokku/VERSION": "0.38.0\n", "home/dokku/.ssh/authorized_keys": "command=... ssh-ed25519 AAAA\n", "home/dokku/hello/HEAD": "ref: refs/heads/main\n",
		"home/dokku/hello/nginx.conf": "server {}\n", "usr/bin/dokku": "#!/bin/bash\n", "var/lib/dokku/plugins/enabled/apps/commands": "x\n",
		"var/lib/dokku/data/storage/hello/file": "data\n", "etc/nginx/conf.d/dokku.conf": "include /home/dokku/*/nginx.conf;\n",
		"etc/nginx/conf.d/server_names_hash_bucket_size.conf": "server_names_hash_bucket_size 512;\n", "etc/sudoers.d/dokku": "%dokku ALL=x\n",
		"etc/logrotate.d/dokku": "x\n", "etc/systemd/system/dokku-redeploy.service": "x\n", "usr/local/bin/sshcommand": "x\n",
	} {
		lab.Must(t, os.MkdirAll(filepath.Join(root, filepath.Dir(path)), 0o755))
		lab.Must(t, os.WriteFile(filepath.Join(root, path), []byte(content), 0o644))
	}
	before := treeHash(t, root)
	functions := installFunctions(t)
	tools, err := lab.Shared()
	lab.Must(t, err)
	out := t.TempDir()
	listed, texts := filepath.Join(out, "files"), filepath.Join(out, "texts")
	cmd := exec.Command("sh", "-c", functions+besideScript, "./install.sh", root, tools.Binary, listed, texts)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	files, err := os.ReadFile(listed)
	lab.Must(t, err)
	for _, want := range []string{"./usr/local/bin/dokku-beside", "./usr/local/lib/dokku-beside/dokku", "./usr/local/lib/dokku-beside/nginx-check",
		"./usr/local/lib/dokku-beside/firewall", "./etc/systemd/system/dokku-beside-firewall.service", "./etc/systemd/system/dokku-beside-git.service",
		"./etc/nginx/conf.d/dokku-beside.conf", "./etc/sudoers.d/dokku-beside", "./etc/systemd/system/dokku-beside-agent.service", "./home/dokku-beside/.dokku/server.json"} {
		if !strings.Contains(string(files), want+"\n") {
			t.Errorf("%s was not written, but\n%s", want, files)
		}
	}
	text, err := os.ReadFile(texts)
	lab.Must(t, err)
	for _, want := range []string{`"port": 8181`, `"tls_port": 8443`, `"name_prefix": "beside."`, "User=dokku-beside\n", "dokku-beside ALL=(root)", "/usr/local/lib/dokku-beside/firewall \"\"\n", "dokku firewall:boot dokku-beside\n", `"cgroup": "dokku-beside"`, "dokku cgroup:keep dokku-beside\nDelegate=cpu memory pids\n",
		"DOKKU_ROOT=" + root + "/home/dokku-beside DOKKU_REMOTE=dokku-beside exec "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(string(text), "server_names_hash") {
		t.Errorf("nginx would have a setting twice:\n%s", text)
	}
	if after := treeHash(t, root); after != before {
		found, _ := exec.Command("find", root, "-type", "f").Output()
		t.Errorf("the files of Dokku have changed, or something is left:\n%s", found)
	}
}
