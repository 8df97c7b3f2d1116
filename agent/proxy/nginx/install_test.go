package nginx_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/proxy/nginx"
	"dokku/agent/proxy/nginx/nginxtest"
)

// TestCheckScript runs an installation's check, with a private mount and with a copy.
func TestCheckScript(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	check(t, s.Proxy().Publish(t.Context(), route(t, "hello", 1)))
	text := nginx.CheckScript(s.Dir, "/etc/nginx/conf.d/dokku.conf")
	copying := strings.Replace(text, "unshare -m true", "false", 1)
	if copying == text {
		t.Fatal("the script has no other way")
	}
	for name, script := range map[string]string{"mount": s.Script("check", text), "copy": s.Script("check-copy", copying)} {
		c := s.Config()
		c.Check = []string{"sh", script}
		p := nginx.New(c)
		bad := route(t, "hello", 2)
		check(t, p.Stage(t.Context(), bad))
		bad.Settings.IncludeDir = t.TempDir()
		check(t, os.WriteFile(filepath.Join(bad.Settings.IncludeDir, "x.conf"), []byte("nonsense;"), 0o644))
		if err := p.Stage(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "nonsense") {
			t.Errorf("%s: staged a bad file: got error %v", name, err)
		}
		answers(t, s, "hello", 1)
	}
}

// nginx -t makes an empty pid file where nginx does not run, over which
// nginx -s reload stumbles later.
func TestCheckLeavesNoPidFile(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	pid := filepath.Join(filepath.Dir(s.Dir), "nginx.pid")
	s.Kill()
	// It accepts connections before it writes the file.
	if err := os.Remove(pid); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	check(t, s.Proxy().Stage(t.Context(), route(t, "hello", 1)))
	if _, err := os.Stat(pid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the check left a pid file: %v", err)
	}
}

// TestReloadScript: a pid file left by a crash names no process or another one, which a
// reload must not signal.
func TestReloadScript(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	root := filepath.Dir(s.Dir)
	reload := func() (int, string) {
		cmd := exec.Command("sh", filepath.Join(root, "reload"))
		out, _ := cmd.CombinedOutput()
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if status, out := reload(); status != 0 {
		t.Errorf("nginx runs: exit status %d, %s", status, out)
	}
	s.Kill()
	victim := exec.Command("sh", "-c", "trap 'exit 7' HUP; echo; read x")
	in, err := victim.StdinPipe()
	check(t, err)
	out, err := victim.StdoutPipe()
	check(t, err)
	check(t, victim.Start())
	_, err = out.Read(make([]byte, 1)) // the trap is set
	check(t, err)
	for name, text := range map[string]string{"stale": "", "empty": "", "another": fmt.Sprintln(victim.Process.Pid), "nonsense": "x y\n"} {
		if name != "stale" {
			check(t, os.WriteFile(filepath.Join(root, "nginx.pid"), []byte(text), 0o644))
		}
		if status, out := reload(); status != 3 || !strings.Contains(out, "nginx is not running") {
			t.Errorf("%s pid file: exit status %d, %s", name, status, out)
		}
	}
	check(t, in.Close())
	victim.Wait()
	if code := victim.ProcessState.ExitCode(); code == 7 {
		t.Error("a process that is not nginx was signalled")
	}
}

// TestReloadScriptStopsOldWorkers: nginx itself would leave the old workers accepting for
// 100 ms more. None of them is replaced, by however many reloads.
func TestReloadScriptStopsOldWorkers(t *testing.T) {
	t.Parallel()
	s := nginxtest.NewServer(t, "")
	check(t, s.Proxy().Publish(t.Context(), route(t, "hello", 1)))
	before := workers(t, s)
	for range 20 {
		if out, err := exec.Command("sh", filepath.Join(filepath.Dir(s.Dir), "reload")).CombinedOutput(); err != nil || len(out) > 0 {
			t.Fatalf("reload: %v, %s", err, out)
		}
		now := workers(t, s)
		if len(now) != 2 || slices.ContainsFunc(now, func(pid string) bool { return slices.Contains(before, pid) }) {
			t.Fatalf("after a reload %v accept; before it %v did", now, before)
		}
		before = now
	}
	answers(t, s, "hello", 1)
}

// workers returns the processes of a server that accept connections.
func workers(t *testing.T, s *nginxtest.Server) (pids []string) {
	master, err := os.ReadFile(filepath.Join(filepath.Dir(s.Dir), "nginx.pid"))
	check(t, err)
	out, err := exec.Command("ps", "--ppid", strings.TrimSpace(string(master)), "-o", "pid=,args=").Output()
	check(t, err)
	for line := range strings.Lines(string(out)) {
		if pid, title, _ := strings.Cut(strings.TrimSpace(line), " "); title == "nginx: worker process" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestCheckScriptFollowsNoLinks: the owner of the folder makes its links lead to where only
// root may read or write. With the live link at the folder of nginx itself, root ran the owner's
// program; with the staged one, or a file in it, nginx's error told what the file says.
func TestCheckScriptFollowsNoLinks(t *testing.T) {
	t.Parallel()
	const nobody = 65534
	s := nginxtest.NewServer(t, "")
	ran, private := filepath.Join(t.TempDir(), "ran"), t.TempDir()
	check(t, os.Chmod(private, 0o700))
	secret := filepath.Join(private, "secret.conf")
	check(t, os.WriteFile(secret, []byte("words-of-root;\n"), 0o600))
	trees := filepath.Join(s.Dir, "trees", "own")
	check(t, os.MkdirAll(trees, 0o755))
	check(t, os.WriteFile(filepath.Join(trees, "nginx"), []byte("#!/bin/sh\ntouch "+ran+"\n"), 0o755))
	for _, dir := range []string{filepath.Dir(filepath.Dir(s.Dir)), filepath.Dir(s.Dir), s.Dir, filepath.Join(s.Dir, "trees"), trees} {
		check(t, os.Chown(dir, nobody, nobody))
		check(t, os.Chmod(dir, 0o755))
	}
	try := func(live, staged string) string {
		t.Helper()
		for link, target := range map[string]string{"live": live, "staged": staged} {
			check(t, os.RemoveAll(filepath.Join(s.Dir, link)))
			check(t, os.Symlink(target, filepath.Join(s.Dir, link)))
		}
		out, _ := exec.Command("sh", filepath.Join(filepath.Dir(s.Dir), "check")).CombinedOutput()
		if strings.Contains(string(out), "words-of-root") {
			t.Errorf("live %s, staged %s: the check told what only root may read: %s", live, staged, out)
		}
		return string(out)
	}
	if out := try("/usr/sbin", "trees/own"); out != "" {
		t.Errorf("the owner's files, beside a link at a folder of root's: %s", out)
	}
	if _, err := os.Stat(ran); err == nil {
		t.Error("root ran the owner's program")
	}
	if out := try("trees/own", private); !strings.Contains(out, "Permission denied") {
		t.Errorf("a staged folder of root's: %s", out)
	}
	check(t, os.Symlink(secret, filepath.Join(trees, "app.conf")))
	if out := try("trees/own", "trees/own"); !strings.Contains(out, "the staged nginx files have something that is no file: app.conf") {
		t.Errorf("a staged link: %s", out)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "tmp.*", "staged")); len(left) > 0 {
		t.Errorf("the check left %v", left)
	}
}

// TestScriptQuotes: a shell would expand the folder's name.
func TestScriptQuotes(t *testing.T) {
	t.Parallel()
	text := nginx.CheckScript("/tmp/it's; exit 0 #", "/etc/x")
	if out, err := exec.Command("sh", "-c", strings.Split(text, "conf=")[0]+"\nprintf %s \"$dir\"").Output(); err != nil || string(out) != "/tmp/it's; exit 0 #" {
		t.Errorf("the folder became %q, %v", out, err)
	}
}
