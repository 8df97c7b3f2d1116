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
	text := nginx.CheckScript(s.Dir)
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

// TestScriptQuotes: a shell would expand the folder's name.
func TestScriptQuotes(t *testing.T) {
	t.Parallel()
	text := nginx.CheckScript("/tmp/it's; exit 0 #")
	if out, err := exec.Command("sh", "-c", strings.Split(text, "pid=")[0]+"\nprintf %s \"$live\"").Output(); err != nil || string(out) != "/tmp/it's; exit 0 #/live" {
		t.Errorf("the folder became %q, %v", out, err)
	}
}
