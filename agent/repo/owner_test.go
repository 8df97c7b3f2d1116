package repo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/disk"
	"dokku/agent/proc"
)

func TestParseStat(t *testing.T) {
	tail := " S 7 9 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2 3"
	for stat, want := range map[string]proc.Process{
		"12 (git)" + tail:                   {Pid: 12, Parent: 7, State: 'S', Start: 4242},
		"12 (a b) S 1 1 (c)" + tail:         {Pid: 12, Parent: 7, State: 'S', Start: 4242},
		"12 ())" + tail:                     {Pid: 12, Parent: 7, State: 'S', Start: 4242},
		"12 (x\n)" + strings.ToUpper(tail):  {Pid: 12, Parent: 7, State: 'S', Start: 4242},
		"12 (git) Z 7 0 0 0 0 0 0 0 0 0 0 ": {},
		"12 (git)":                          {},
		"":                                  {},
		"x (git)" + tail:                    {},
	} {
		p, err := proc.ParseStat(stat)
		if (err != nil) != (want.Pid == 0) || err == nil && (p.Pid != want.Pid || p.Parent != want.Parent || p.State != want.State || p.Start != want.Start) {
			t.Errorf("parseStat(%q) = %+v, %v; want %+v", stat, p, err, want)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("12 (git) S 7 9 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2 3")
	f.Fuzz(func(_ *testing.T, stat string) { proc.ParseStat(stat) })
}

func TestGitCommand(t *testing.T) {
	for line, want := range map[string]string{
		"git receive-pack /a":                         "receive-pack",
		"git-receive-pack /a":                         "receive-pack",
		"/usr/lib/git-core/git-receive-pack /a":       "receive-pack",
		"/usr/lib/git-core/git receive-pack --x .":    "receive-pack",
		"git -c a=receive-pack -C /x --bare gc":       "gc",
		"git --git-dir=/a --work-tree /b status":      "status",
		"git":                                         "",
		"sh -c git-receive-pack '/a'":                 "",
		"git push /a receive-pack":                    "push",
		"":                                            "",
		"/home/dokku/app/hooks/pre-receive something": "",
	} {
		if got := proc.GitCommand(strings.Split(line, " ")); got != want {
			t.Errorf("gitCommand(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestOwnerAlive(t *testing.T) {
	boot, err := proc.BootID()
	if err != nil {
		t.Fatal(err)
	}
	self, err := proc.ReadProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	o := proc.Owner{Boot: boot, PID: self.Pid, Start: self.Start}
	if !o.Alive() {
		t.Error("a process that runs counts as dead")
	}
	for what, dead := range map[string]proc.Owner{
		"of an earlier boot":                 {Boot: "x", PID: o.PID, Start: o.Start},
		"with a number that was given again": {Boot: boot, PID: o.PID, Start: o.Start - 1},
		"that never was":                     {},
	} {
		if dead.Alive() {
			t.Errorf("a process %s counts as alive", what)
		}
		if err := dead.Terminate(); err != nil { // and this test goes on
			t.Errorf("Terminate of a process %s: %v", what, err)
		}
	}
}

func TestZombieIsNotAlive(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	boot, _ := proc.BootID()
	p, err := proc.ReadProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	o := proc.Owner{Boot: boot, PID: p.Pid, Start: p.Start}
	if !o.Alive() {
		t.Error("a child that runs counts as dead")
	}
	in.Close()
	// Ended, and not reaped.
	if err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if o.Alive() {
		t.Error("a zombie counts as alive")
	}
	cmd.Wait()
	if o.Alive() {
		t.Error("a process that is gone counts as alive")
	}
}

func TestNoOwnerOutsideOfAPush(t *testing.T) {
	if o, err := proc.OwnerAbove(1); err == nil {
		t.Errorf("process 1 belongs to the push %+v", o)
	}
}

// A waitingPush is a real git push whose pre-receive waits.
type waitingPush struct {
	t          *testing.T
	dir        string // the bare repository
	hook       int    // pid
	quarantine string
	answer     string // FIFO
	// reply ends the hook with an exit code.
	reply func(code string)
	done  chan struct{}
	err   error
}

// startPush pushes to a repository of initRepository's, and returns while
// pre-receive waits. Pre-receive is a shell script, so that git is not its
// parent alone: the script below it is what stands for our hook.
func startPush(t *testing.T, dir string) *waitingPush {
	t.Helper()
	base := t.TempDir()
	w := &waitingPush{t: t, dir: dir, answer: filepath.Join(base, "answer"), done: make(chan struct{})}
	hello := filepath.Join(base, "hello")
	for _, fifo := range []string{hello, w.answer} {
		if err := unix.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Open for both, so that an answer waits for a hook that has yet to ask.
	answer, err := os.OpenFile(w.answer, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.reply = func(code string) { answer.WriteString(code + "\n") }
	inner := filepath.Join(base, "inner")
	hook := filepath.Join(dir, "hooks", "pre-receive")
	os.Remove(hook)
	writeScript(t, inner, `echo $$ "$GIT_QUARANTINE_PATH" >`+hello+`; read -r code <`+w.answer+`; exit "$code"`)
	writeScript(t, hook, inner+"\nexit $?")
	work := filepath.Join(base, "work")
	script := `git init -q -b main "$1" && cd "$1" && echo $$ >f && git add f && git commit -q -m c && git push -q "$2" +main`
	cmd := exec.Command("sh", "-c", script, "sh", work, dir)
	cmd.Env = gitEnv(base)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(w.done)
		w.err = cmd.Wait()
	}()
	t.Cleanup(func() {
		w.reply("1")
		<-w.done
		answer.Close()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	said := make(chan string, 1)
	go func() {
		b, _ := os.ReadFile(hello)
		said <- string(b)
	}()
	select {
	case s := <-said:
		pid, quarantine, _ := strings.Cut(strings.TrimSpace(s), " ")
		for _, c := range pid {
			w.hook = w.hook*10 + int(c-'0')
		}
		w.quarantine = quarantine
	case <-w.done:
		t.Fatalf("git push: %v: %s", w.err, out.String())
	case <-time.After(30 * time.Second):
		t.Fatal("pre-receive is not run")
	}
	return w
}

func writeScript(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func gitEnv(home string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a",
		"GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
}

func newRepository(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hello")
	if err := Init(disk.Disk{}, dir, "/bin/true"); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestOwnerIsTheGitAbove(t *testing.T) {
	w := startPush(t, newRepository(t))
	o, err := proc.OwnerAbove(w.hook)
	if err != nil {
		t.Fatal(err)
	}
	p, err := proc.ReadProcess(o.PID)
	if err != nil || proc.GitCommand(p.Args) != "receive-pack" || !o.Alive() {
		t.Errorf("the owner is %+v, which runs %q, alive %v", o, p.Args, o.Alive())
	}
	if err := o.Terminate(); err != nil {
		t.Fatal(err)
	}
	<-w.done
	if w.err == nil {
		t.Error("the push succeeds although its git was terminated")
	}
	if o.Alive() {
		t.Error("the owner is alive after its end")
	}
}
