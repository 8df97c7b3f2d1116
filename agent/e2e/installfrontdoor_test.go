package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/hooks/sshtest"
)

// frontDoorScript runs install.sh front-door, what install adds to that, and uninstall, below
// the folder $1 and without changes to this machine's users, packages and services.
const frontDoorScript = `
for name in LIB BIN COMMAND ALIAS HOME_DIR DATA NGINX_FILES CONF LIMITS NGINX_MAIN NGINX_LIMIT SUDOERS UNIT INIT ROTATE CACHE DEMO LOG; do eval "$name=$1\$$name"; done
getent() { [ "$1 $2" != "passwd dokku" ] || echo "dokku:x:990:990::$HOME_DIR:/bin/sh"; }
usermod() { :; }
join_logs() { :; }
userdel() { :; }
as_user() { "$@"; }
systemctl() { :; }
visudo() { :; }
check_ports() { :; }
check_system() { :; }
packages() { echo "$*" >>"$PACKAGES"; }
find_go() { :; }
build() { mkdir -p "$(dirname "$BIN")" && cp "$TOOL" "$BIN"; }
nginx_up() { printed nginx-conf 0644 "$CONF"; }
nginx_runs() { return 1; }
sshd_up() { :; }
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
TOOL=$2 PACKAGES=$1/packages
mkdir -p "$(dirname "$LOG")"
`

// TestInstallFrontDoor: a front door has nginx's files and a key for them, and nothing else;
// an installation makes it a whole server that nobody else can change, and uninstall removes
// it.
func TestInstallFrontDoor(t *testing.T) {
	t.Parallel()
	functions := installFunctions(t)
	tools, err := lab.Shared()
	lab.Must(t, err)
	root := t.TempDir()
	run := func(lines string) (string, error) {
		t.Helper()
		out, err := exec.Command("sh", "-c", functions+frontDoorScript+lines, "./install.sh", root, tools.Binary).CombinedOutput()
		return string(out), err
	}
	key := func() string {
		t.Helper()
		public, err := os.ReadFile(sshtest.Key(t, filepath.Join(t.TempDir(), "key")) + ".pub")
		lab.Must(t, err)
		words := strings.Fields(string(public))
		return words[0] + " " + words[1]
	}
	first, second := key(), key()
	for bad, want := range map[string]string{"": "give the line that dokku front-door:add prints", "ssh-ed25519 nonsense": "this is no ssh key: ssh-ed25519 nonsense",
		"command=x ssh-ed25519 A": "give the line"} {
		if out, err := run("front_door '" + bad + "'"); err == nil || !strings.Contains(out, want) {
			t.Errorf("the key %q: %v\n%s", bad, err, out)
		}
	}
	keys := filepath.Join(root, "home/dokku/.ssh/authorized_keys")
	lab.Must(t, os.MkdirAll(filepath.Dir(keys), 0o700))
	lab.Must(t, os.WriteFile(keys, []byte("ssh-ed25519 AAAAmine admin\n"), 0o600))
	for _, k := range []string{first + " a comment", second} { // the second run replaces the key
		out, err := run("front_door '" + k + "'")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		lab.Contains(t, out, "This server is a front door now", "On the other server: dokku front-door:enable NAME")
	}
	text, err := os.ReadFile(keys)
	lab.Must(t, err)
	home := root + "/home/dokku"
	if want := "ssh-ed25519 AAAAmine admin\nrestrict,command=\"DOKKU_ROOT=" + home + " " + root + "/usr/local/bin/dokku front-door:serve\" " + second + " front-door\n"; string(text) != want {
		t.Errorf("the keys are\n%swant\n%s", text, want)
	}
	packages, err := os.ReadFile(filepath.Join(root, "packages"))
	lab.Must(t, err)
	lab.Lacks(t, string(packages), "git", "docker", "curl")
	for _, name := range []string{"/etc/nginx/conf.d/dokku.conf", "/etc/sudoers.d/dokku", "/usr/local/lib/dokku/nginx-check", "/usr/local/lib/dokku/nginx-reload", "/var/lib/dokku/data/nginx-files"} {
		if !lab.Exists(root + name) {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{"/etc/systemd/system/dokku-agent.service", "/etc/init.d/dokku-agent", "/etc/docker"} {
		if lab.Exists(root + name) {
			t.Errorf("it has %s", name)
		}
	}
	out, err := run("promote\nwrite_unit")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if text, _ := os.ReadFile(keys); string(text) != "ssh-ed25519 AAAAmine admin\n" {
		t.Errorf("as a whole server it has the keys\n%s", text)
	}
	if out, err := run("front_door '" + first + "'"); err == nil || !strings.Contains(out, "this server has apps of its own") {
		t.Errorf("a whole server becomes a front door: %v\n%s", err, out)
	}
	lab.Must(t, os.Remove(root+"/etc/systemd/system/dokku-agent.service"))
	if out, err := run("front_door '" + first + "'\nuninstall ''"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if text, _ := os.ReadFile(keys); string(text) != "ssh-ed25519 AAAAmine admin\n" {
		t.Errorf("uninstall leaves the keys\n%s", text)
	}
	if out, err := run("front_door '" + first + "'\nuninstall --purge"); err != nil || lab.Exists(home) || lab.Exists(root+"/usr/local/lib/dokku") {
		t.Errorf("uninstall --purge: %v\n%s", err, out)
	}
}
