package e2e

import (
	"testing"

	"dokku/agent/e2e/lab"
)

// TestSecretsAreHidden: whoever may push prints the environment, in a command of the release, and
// when a process fails. Neither the pusher nor the deploy's log gets the secrets of the config; the
// app itself does.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := l.App(lab.WithShell(t, l))
	l.Dokku("apps:create", a.Name)
	l.Dokku("config:set", "--no-restart", a.Name, "API_TOKEN=tok-0123456789", "DATABASE_URL=postgres://app:s3cr3tword@db/app", "MODE=production")
	out := a.Push(lab.Files{"Procfile": "web: /server\nrelease: env\n"})
	lab.Contains(t, out, "API_TOKEN=****", "DATABASE_URL=postgres://app:****@db/app", "MODE=production")
	lab.Contains(t, l.Dokku("run", a.Name, "env"), "API_TOKEN=tok-0123456789", "s3cr3tword")
	out += a.Rejected(lab.Files{"Procfile": "web: env; exit 7\n"})
	lab.Contains(t, out, "exit code 7")
	for _, n := range []string{"1", "2"} {
		log := l.Dokku("deploys:log", a.Name, n)
		lab.Contains(t, log, "API_TOKEN=****")
		out += log
	}
	lab.Lacks(t, out, "tok-0123456789", "s3cr3tword")
}
