package repo

import (
	"fmt"
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
	o, err := proc.ReceivePackAbove(w.hook)
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", o.PID))
	if err != nil || !strings.Contains(string(line), "receive-pack") || !o.Alive() {
		t.Errorf("the owner is %+v, which runs %q, alive %v", o, line, o.Alive())
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
