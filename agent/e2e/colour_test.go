package e2e

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
)

var sgr = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// TestColourOverSSH: a command is coloured on the terminal of ssh -t only, and not where
// the client asks for none.
func TestColourOverSSH(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	l.App(nil)
	ssh := func(env string, args ...string) *lab.Typist {
		cmd := l.SSH(args...)
		cmd.Env = append(os.Environ(), "TERM=xterm-256color", env)
		return l.OnTerminal(cmd)
	}
	p := ssh("A=1", "-t", l.Front.Dest, "ps:start nosuch")
	p.Prints("\x1b[31m !     App nosuch does not exist\x1b[0m\r\n")
	p = ssh("A=1", "-t", l.Front.Dest, "apps:list")
	p.Prints("\x1b[1m=====> My Apps\x1b[0m\r\n")

	// A terminal at the client is none at the server.
	p = ssh("A=1", "-T", l.Front.Dest, "ps:start nosuch")
	p.Prints(" !     App nosuch does not exist")
	<-p.Done
	lab.Lacks(t, p.Output(), "\x1b")
	stdout, stderr, _ := lab.Split(t, l.SSH(l.Front.Dest, "ps:start nosuch"), "")
	if want := " !     App nosuch does not exist\n"; stdout+stderr != want {
		t.Errorf("without a terminal ssh prints %q, want %q", stdout+stderr, want)
	}
}

// TestColourOfPush: -o color colours a push, whose text is otherwise the same. Nothing that
// a build prints moves the pusher's cursor. A step is named when it begins, and a silent
// one shows life after 5 s. The deploy's log has neither colours nor signs of life.
func TestColourOfPush(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	files := lab.WithShell(t, l)
	dockerfile := files["Dockerfile"]
	build := func(stamp string) lab.Files {
		files["Dockerfile"] = dockerfile + "RUN [\"sh\", \"-c\", \"printf '\\\\033[32mgreen\\\\033[0m\\\\n10%%\\\\r\\\\033[K100%%\\\\r\\\\n\\\\033[2Jcleared\\\\n'; echo " + stamp + "\"]\n" +
			"RUN [\"sh\", \"-c\", \"true " + stamp + "; sleep 6\"]\n"
		return files
	}
	a := l.App(nil)
	push := func(stamp string, args ...string) string {
		t.Helper()
		a.Commit(build(stamp))
		return a.Pushing(append(args, "main")...).Succeeds()
	}
	stamp := strconv.FormatInt(time.Now().UnixNano()%1e9, 36) // no build cache knows it
	plain := push(stamp)
	lab.Lacks(t, plain, "\x1b")
	lab.Contains(t, plain, "  | green", "  | 100%", "  | cleared", "-----> Starting web.1")
	lab.Lacks(t, plain, "| 10%")
	at := -1
	step := `[5/5] RUN ["sh", "-c", "true ` + stamp + `; sleep 6"]`
	for _, want := range []string{step, "still running " + step, step} {
		next := strings.Index(plain[at+1:], want)
		if next < 0 {
			t.Fatalf("%q does not come in its turn:\n%s", want, plain)
		}
		at += 1 + next
	}

	files["Procfile"] += "release: sleep 6\n"
	coloured := push(stamp+"2", "-o", "color")
	lab.Contains(t, coloured, "remote:          | \x1b[32mgreen\x1b[0m", "\x1b[2m       still running the release command ",
		"\x1b[1m-----> Starting web.1", "\x1b[1;32m=====> Application deployed")
	text := sgr.ReplaceAllString(coloured, "")
	lab.Lacks(t, text, "\x1b")
	lab.Contains(t, text, "remote:          | green", "remote:          | cleared", "remote: -----> Starting web.1")

	log := string(a.Read("dokku", "deploys", "2.log"))
	lab.Contains(t, log, "  | green\n", "  | 100%\n", "  | cleared\n", "-----> All checks successful!")
	lab.Lacks(t, log, "\x1b", "still running")
	host, err := os.ReadFile(l.Log("dokku.log"))
	lab.Must(t, err)
	lab.Lacks(t, string(host), `\u001b`, "still running")
}
