package e2e

import (
	"fmt"
	"net/url"
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
	// Over ssh the commands in messages are those of ssh, with the global domain.
	front, err := url.Parse(l.Front.URL)
	lab.Must(t, err)
	typed := fmt.Sprintf("ssh -p %s %s@e2e.test ", front.Port(), front.User.Username())
	out, code := l.OverSSH("deploys:log " + a.Name)
	if lab.Contains(t, out, " !     Could not start due to 1 failed checks."); code != 0 {
		t.Errorf("deploys:log ends with %d", code)
	}
	out, code = l.OverSSH("network:set " + a.Name + " attach-post-create nosuch")
	if lab.Contains(t, out, " !     Network nosuch does not exist: make it with "+typed+"network:create nosuch\n"); code != 0 {
		t.Errorf("network:set ends with %d", code)
	}
	l.Dokku("network:set", a.Name, "attach-post-create")
	if lines := l.Dokku("logs", a.Name, "-n", "0"); lines != "" {
		t.Errorf("logs -n 0 prints %q", lines)
	}
}
