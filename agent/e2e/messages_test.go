package e2e

import (
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// misleading are pushes whose message once sent its reader the wrong way.
var misleading = []struct {
	name  string
	files lab.Files
	says  []string
	lacks string
}{
	{"an image without a shell", lab.Files{"Procfile": "web: X=1 /server\n"},
		[]string{`web.1 exited with code 127`, `the image has no /bin/sh, which "X=1" in the command needs`}, "spelling"},
	{"a release command without a shell", lab.Files{"Procfile": "web: /server\nrelease: /server -exit=0 && /server -exit=0\n"},
		[]string{`the release command did not run: the image has no /bin/sh, which "&&" in the command needs`}, "already run"},
	{"a release command that is not there", lab.Files{"Procfile": "web: /server\nrelease: /migrate\n"},
		[]string{"the release command did not run: /migrate is not in the image: check its spelling and its path."}, "already run"},
	{"a script with Windows line ends", lab.Files{"Dockerfile": "FROM BASE\nCOPY --chmod=755 . /app/\n", "run.sh": "#!/bin/sh\r\nexec /server\r\n",
		"Procfile": "web: /app/run.sh\n"},
		[]string{"/app/run.sh cannot be started: run.sh has Windows line ends: run dos2unix on it"}, "spelling"},
	{"a script without its interpreter", lab.Files{"Dockerfile": "FROM BASE\nCOPY --chmod=755 . /app/\n", "run.sh": "#!/bin/sh\nexec /server\n",
		"Procfile": "web: /app/run.sh\n"},
		[]string{"/app/run.sh cannot be started: the first line of run.sh names /bin/sh: is that in the image?"}, "spelling"},
	{"an image without a command", lab.Files{"Dockerfile": "FROM BASE\nCOPY . /app/\n"},
		[]string{"the image has no command: add a CMD to the Dockerfile", "or a Procfile with a line such as web: ./server"}, "No command specified"},
	{"memory that runs out", lab.Files{"Procfile": "web: /server\n", "CHECKS": "WAIT=10\nATTEMPTS=1\n/eat\n"},
		[]string{"web.1 ran out of memory", "Its memory limit is 48 MB; to double it: ssh ", " resource:limit --memory 96 "}, ""},
	{"another answer", lab.Files{"Procfile": "web: /server\n", "CHECKS": "WAIT=1\nATTEMPTS=1\n/health  never\n"},
		[]string{`the answer does not hold "never"`, `the answer is "`, `\n"`}, ""},
	{"a file that is not committed", lab.Files{"Dockerfile": "FROM BASE\nCOPY missing.txt /\n"},
		[]string{"missing.txt is not in the repository; is it committed?"}, "cache key"},
	{"a failing step of the build", lab.Files{"Dockerfile": "FROM BASE\nCOPY . /app/\nRUN [\"/server\", \"-say=no-space-left\", \"-exit=7\"]\n"},
		[]string{"no-space-left", "step [3/3] RUN ended with exit code 7"}, "failed to solve"},
}

// TestMisleadingMessages: a rejected push names its cause and what helps.
func TestMisleadingMessages(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(nil)
	l.Dokku("resource:limit", "--memory", "48m", a.Name)
	live := a.Tip("main")
	for _, c := range misleading {
		t.Run(c.name, func(t *testing.T) {
			a := a.With(t)
			a.Git("reset", "-q", "--hard", live)
			for name, text := range c.files {
				c.files[name] = strings.ReplaceAll(text, "BASE", l.Tools.Base)
			}
			out := a.Rejected(c.files)
			lab.Contains(t, out, c.says...)
			if c.lacks != "" {
				lab.Lacks(t, out, c.lacks)
			}
			lab.Contains(t, out, "Nothing has changed: v1 (")
		})
	}
}
