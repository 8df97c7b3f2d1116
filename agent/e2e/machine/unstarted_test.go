package machine

import (
	"strings"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
)

// TestUnstartedCommands: a command that never ran is not said to have run, and its push
// says what the image lacks.
func TestUnstartedCommands(t *testing.T) {
	const windows = `run dos2unix on it, and commit \"*.sh text eol=lf\" in .gitattributes`
	tests := []struct{ name, procfile, typ, output, want string }{
		{"no shell", "web: serve\nrelease: cd / && migrate", "release", "[FATAL tini (7)] exec /bin/sh failed: No such file or directory",
			`the release command did not run: the image has no /bin/sh, which "&&" in the command needs: write the command without it, or add a shell to the image`},
		{"no file", "web: serve\nrelease: ./migrate.sh", "release", "[FATAL tini (7)] exec ./migrate.sh failed: No such file or directory",
			"the release command did not run: ./migrate.sh is not in the image: check its spelling and its path. " +
				"If it is a script, its first line names a missing interpreter, or has Windows line ends: " + windows},
		{"not executable", "web: ./serve.sh", "web", "[FATAL tini (7)] exec ./serve.sh failed: Permission denied",
			"./serve.sh is not executable: git update-index --chmod=+x FILE, or chmod +x in the Dockerfile"},
		{"another machine", "web: ./serve", "web", "[FATAL tini (7)] exec ./serve failed: Exec format error",
			"./serve is no program for this machine: build it for this machine's processor"},
		{"web needs a shell", "web: X=1 serve", "web", "[FATAL tini (7)] exec /bin/sh failed: No such file or directory",
			`the image has no /bin/sh, which \"X=1\" in the command needs`},
		{"in a shell", "web: cd / && ./serve.sh", "web", "sh: 1: exec: ./serve.sh: not found", "or has Windows line ends: " + windows},
		{"a script from Windows", "web: serve\nrelease: ./from/windows.sh", "release", "[FATAL tini (7)] exec ./from/windows.sh failed: No such file or directory",
			"the release command did not run: ./from/windows.sh cannot be started: windows.sh has Windows line ends: " + windows},
		{"a script from Windows in a shell", "web: cd / && ./windows.sh", "web", "/bin/bash: line 1: ./windows.sh: cannot execute: required file not found",
			"windows.sh has Windows line ends: " + windows},
		{"a script without its interpreter", "web: ./unix.sh", "web", "[FATAL tini (7)] exec ./unix.sh failed: No such file or directory",
			"./unix.sh cannot be started: the first line of unix.sh names /bin/zsh: is that in the image?"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFresh(t, false)
			f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
				if s.Type == tt.typ {
					return memory.Behaviour{Exits: true, Code: 127, Output: []string{tt.output}}
				}
				return behaviour(s)
			})
			out, err := f.push(map[string]string{"Dockerfile": "FROM scratch\n", "Procfile": tt.procfile + "\n",
				"windows.sh": "#!/bin/sh\r\nexec serve\r\n", "unix.sh": "#! /bin/zsh\nexec serve\n"})
			if err == nil {
				t.Fatal("it is accepted")
			}
			all := out + strings.ReplaceAll(err.Error(), `"*.sh text eol=lf"`, `\"*.sh text eol=lf\"`)
			if !strings.Contains(all, tt.want) || strings.Contains(all, "has already run") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
