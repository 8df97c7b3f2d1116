package e2e

import (
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestLogsOfARejectedDeploy: what a rejected push printed, and what its processes wrote,
// can still be read afterwards, when its containers are gone.
func TestLogsOfARejectedDeploy(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.Deployed(lab.Files{"Procfile": twoTypes, "CHECKS": "WAIT=1\nATTEMPTS=2\n/health\n"})
	lab.Contains(t, l.Dokku("logs:failed", a.Name), " !     No failed containers found\n")
	lab.Contains(t, l.Dokku("deploys:log", a.Name), "-----> Building "+a.Name, "=====> Application deployed in ")

	a.Rejected(lab.Files{"Procfile": "web: /server -unhealthy -say=almost-there\nworker: /server -port=\n"})
	failed := l.Dokku("logs:failed", a.Name)
	lab.Contains(t, failed, " app[web.1]: almost-there\n")
	lab.Lacks(t, failed, "worker.1")
	lab.Contains(t, l.Dokku("logs:failed", a.Name, "-q"), "almost-there\n")
	lab.Contains(t, l.Dokku("deploys:log", a.Name), "-----> Attempt 1/2 ...", " !     Could not start due to 1 failed checks.",
		" !     Nothing has changed: v1 (")
	if first := l.Dokku("deploys:log", a.Name, "1"); !strings.HasPrefix(first, "-----> ") || !strings.Contains(first, "Application deployed") {
		t.Errorf("the first deploy's log is\n%s", first)
	}
	if lines := l.Dokku("logs", a.Name, "-n", "0"); lines != "" {
		t.Errorf("logs -n 0 prints %q", lines)
	}
}
