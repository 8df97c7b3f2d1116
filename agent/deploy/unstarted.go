package deploy

import (
	"fmt"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/scale"
)

// windows is the fix for a script with Windows line ends, whose interpreter then has a
// carriage return in its name.
const windows = `run dos2unix on it, and commit "*.sh text eol=lf" in .gitattributes`

// unstarted explains why a command never ran, from the lines of its container; "" if it
// ran. env is the environment of its process.
func unstarted(lines []string, command string, env map[string]string) string {
	for _, line := range lines {
		if r := engine.ParseRefusal(strings.TrimSpace(line)); r != nil {
			return whyRefused(*r, command, env)
		}
	}
	return ""
}

func whyRefused(r engine.Refusal, command string, env map[string]string) string {
	reason := scale.ShellReason(command, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	switch {
	case r.Program == "/bin/sh" && reason != "":
		return fmt.Sprintf("the image has no /bin/sh, which %s in the command needs: write the command without it, or add a shell to the image",
			scale.Quote(reason))
	case r.Cause == "No such file or directory":
		return fmt.Sprintf("%s is not in the image: check its spelling and its path. If it is a script, its first line names a missing "+
			"interpreter, or has Windows line ends: %s", r.Program, windows)
	case r.Cause == "Permission denied":
		return fmt.Sprintf("%s is not executable: git update-index --chmod=+x FILE, or chmod +x in the Dockerfile", r.Program)
	case r.Cause == "Exec format error":
		return fmt.Sprintf("%s is no program for this machine: build it for this machine's processor, or begin a script with #!/bin/sh", r.Program)
	}
	return fmt.Sprintf("%s cannot be started: %s", r.Program, r.Cause)
}

// suggestion returns the thing to try for a process that ended before it was healthy; ""
// where the gate knows best.
func (o *rollout) suggestion(f *checks.Failure, lines []string) string {
	r := o.release
	if f.Process.OOMKilled {
		return MemoryFix(o.session.Name, r.Resources, f.Target.Type)
	}
	if why := unstarted(lines, r.Control.Command(f.Target.Type), r.Environment(app.Process{Type: f.Target.Type, Index: 1})); why != "" {
		return why
	}
	notFound := func(line string) bool {
		return strings.HasSuffix(line, ": not found") || strings.HasSuffix(line, ": No such file or directory")
	}
	if f.Ended() && f.Process.ExitCode == 127 && slices.ContainsFunc(lines, notFound) {
		return "The image does not have that command: check its spelling and its path. If it is a script that is there, its first line names " +
			"a missing interpreter, or has Windows line ends: " + windows
	}
	return ""
}
