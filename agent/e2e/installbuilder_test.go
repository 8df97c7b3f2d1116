package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/build/buildtest"
)

// builderScript sets up, updates or removes ($4) the service $3 of a builder below the folder
// $1, with the program $2 and BuildKit of the folder $5. Services are this machine's.
const builderScript = `
BUILDER=$3 LIB=$1/lib HOME_DIR=$1/home LOG=$1/log BIN=$2
packages() { :; }
programs=$5
build_builder() {
  for program in buildkitd host-local loopback ptp; do
    put 0755 "$LIB/buildkitd/$program" <"$programs/$program"
  done
}
changed=
mkdir -p "$HOME_DIR/.dokku"
case $4 in
  up) builder_up ;;
  remove) remove_builder ;;
esac
`

// TestBuilderService: install.sh starts the builder as a service, which comes back after kill -9
// and keeps running when install.sh is run again. Nothing is left of it after it was removed.
func TestBuilderService(t *testing.T) {
	t.Parallel()
	tools, err := lab.Shared()
	lab.Must(t, err)
	programs := buildtest.DaemonPrograms(t)
	functions := installFunctions(t)
	dir := t.TempDir()
	name := fmt.Sprintf("dokku-test-builder-%d", os.Getpid())
	run := func(what string) string {
		t.Helper()
		out, err := exec.Command("sh", "-c", functions+builderScript, "./install.sh", dir, tools.Binary, name, what, programs).CombinedOutput()
		if err != nil {
			log, _ := os.ReadFile("/var/log/" + name + ".log")
			t.Errorf("%s: %v\n%s%s", what, err, out, log)
		}
		return string(out)
	}
	t.Cleanup(func() { run("remove") })
	lab.Contains(t, run("up"), "This server has a builder of its own. To use it: dokku builder:set APP|--global build-isolation own\n")
	pid := func() (n int) {
		for _, hierarchy := range []string{"pids", ""} {
			b, _ := os.ReadFile(filepath.Join("/sys/fs/cgroup", hierarchy, name, "daemon", "cgroup.procs"))
			if _, err := fmt.Sscan(string(b), &n); err == nil {
				return n
			}
		}
		return 0
	}
	first := pid()
	l := lab.New(t, map[string]any{"builder": "/run/" + name + "/buildkitd.sock"})
	works := func() bool {
		out, _ := l.Try("doctor") // a lab has no sshd and no agent
		return strings.Contains(out, " answers, and is kept from this server and private networks")
	}
	if !works() {
		t.Error(l.Try("doctor"))
	}
	run("up")
	if now := pid(); now != first || first == 0 {
		t.Errorf("install.sh started the builder again: %d, then %d", first, now)
	}
	for path, mode := range map[string]os.FileMode{"/var/lib/" + name: os.ModeDir | 0o700, "/run/" + name: os.ModeDir | 0o750, "/run/" + name + "/buildkitd.sock": os.ModeSocket | 0o660} {
		if info, err := os.Stat(path); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	lab.Must(t, syscall.Kill(first, syscall.SIGKILL))
	lab.WaitFor(t, "the builder is back", func() bool { return pid() != 0 && pid() != first })
	lab.WaitFor(t, "the builder answers", works)
	run("remove")
	rules, err := exec.Command("sh", "-c", "iptables-save; ip link; ls -d /run/"+name+"* /var/lib/"+name+" /sys/fs/cgroup/"+name+" /sys/fs/cgroup/*/"+name+" /etc/init.d/"+name+" /etc/rc*.d/*"+name+" 2>/dev/null; true").Output()
	lab.Must(t, err)
	if strings.Contains(string(rules), name) {
		t.Errorf("something is left:\n%s", rules)
	}
}
