package deploy

import (
	"context"
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
func (o *rollout) unstarted(ctx context.Context, lines []string, command string, env map[string]string) string {
	for _, line := range lines {
		if r := engine.ParseRefusal(strings.TrimSpace(line)); r != nil {
			return o.whyRefused(ctx, *r, command, env)
		}
	}
	return ""
}

func (o *rollout) whyRefused(ctx context.Context, r engine.Refusal, command string, env map[string]string) string {
	reason := scale.ShellReason(command, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	switch {
	case r.Program == "/bin/sh" && reason != "":
		return fmt.Sprintf("the image has no /bin/sh, which %s in the command needs: write the command without it, or add a shell to the image",
			scale.Quote(reason))
	case r.Cause == "No such file or directory":
		if s, ok := o.script(ctx, r.Program); ok {
			return fmt.Sprintf("%s cannot be started: %s", r.Program, s.fault())
		}
		return fmt.Sprintf("%s is not in the image: check its spelling and its path. If it is a script, its first line names a missing "+
			"interpreter, or has Windows line ends: %s", r.Program, windows)
	case r.Cause == "Permission denied":
		return fmt.Sprintf("%s is not executable: git update-index --chmod=+x FILE, or chmod +x in the Dockerfile", r.Program)
	case r.Cause == "Exec format error":
		return fmt.Sprintf("%s is no program for this machine: build it for this machine's processor, or begin a script with #!/bin/sh", r.Program)
	}
	return fmt.Sprintf("%s cannot be started: %s", r.Program, r.Cause)
}

// wantsToBeFirst reports whether a program refused to run below an init: s6-overlay's
// s6-overlay-suexec, and systemd, say so with these words.
func wantsToBeFirst(line string) bool {
	return strings.HasSuffix(line, "can only run as pid 1") || strings.HasPrefix(line, "Trying to run as user instance, but ")
}

// suggestion returns the thing to try for a process that ended before it was healthy; ""
// where the gate knows best.
func (o *rollout) suggestion(ctx context.Context, f *checks.Failure, lines []string) string {
	r := o.release
	if f.Process.OOMKilled {
		docker, _ := r.Containers(f.Target.Type) // they were valid when it started
		return MemoryFix(o.session.Name, r.ContainerOptions, docker, f.Target.Type)
	}
	if why := o.unstarted(ctx, lines, r.Control.Command(f.Target.Type), r.Environment(app.Process{Type: f.Target.Type, Index: 1})); why != "" {
		return why
	}
	if !r.NoInit && slices.ContainsFunc(lines, wantsToBeFirst) {
		return "The image's program has to be process 1 of its container, where dokku runs an init. Leave that out, and push again: dokku ps:set " +
			o.session.Name + " init false"
	}
	if hint := isolationHint(o.session.Name, r.ContainerOptions, lines); hint != "" && f.Ended() {
		return hint
	}
	if !f.Ended() || f.Process.ExitCode != 127 {
		return ""
	}
	for _, line := range lines {
		program, ok := notFound(line)
		if !ok {
			continue
		}
		if s, ok := o.script(ctx, program); ok {
			return fmt.Sprintf("%s cannot be started: %s", program, s.fault())
		}
		return "The image does not have that command: check its spelling and its path. If it is a script that is there, its first line names " +
			"a missing interpreter, or has Windows line ends: " + windows
	}
	return ""
}

// notFound returns the program that a shell's message says it does not find: "sh: 1:
// exec: ./run.sh: not found".
func notFound(line string) (program string, ok bool) {
	for _, end := range []string{": cannot execute: required file not found", ": not found", ": command not found", ": No such file or directory"} {
		if rest, is := strings.CutSuffix(line, end); is {
			return rest[strings.LastIndexByte(rest, ' ')+1:], true
		}
	}
	return "", false
}
