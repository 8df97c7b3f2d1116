package deploy

import (
	"fmt"
	"strings"

	"dokku/agent/app"
)

// isolationHint says that a process may have failed for what its app's isolation denies it, and
// what to do then; "" if nothing in its lines points to that.
func isolationHint(name string, o app.ContainerOptions, lines []string) string {
	if o.Isolation == nil {
		return ""
	}
	for _, line := range lines {
		switch {
		case contains(line, "can't fork", "cannot fork", "fork failed", "pthread_create", "resource temporarily unavailable", "unable to create native thread", "can't start new thread"):
			return fmt.Sprintf("A container of %s has at most %d processes and threads; for more: dokku isolation:set %[1]s %[3]s N", name, o.Isolation.Pids, app.PropPidsLimit)
		case contains(line, "no new privileges", "operation not permitted", "eperm", "must be setuid root", "su: system error"):
			return fmt.Sprintf("If it needs a right that isolation takes away (sudo, a raw socket, a device): correct the image, or on the server: dokku isolation:disable %s", name)
		}
	}
	return ""
}

// contains reports whether a line has one of the lower-case texts.
func contains(line string, texts ...string) bool {
	line = strings.ToLower(line)
	for _, text := range texts {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}
