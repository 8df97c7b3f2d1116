package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestDeployer: a deployer's key makes, deploys and watches the app that it names, and nothing
// else, over real git and sshd; and its rights change with its next connection.
func TestDeployer(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	own, other := l.App(nil), l.App(nil)
	l.Dokku("ssh-keys:set", "alice", "--role", "deployer", "--app", own.Name)
	own.Push(nil)
	own.Serves(own.Tip("main"))
	refused := " !     The key alice may not use the app " + other.Name
	lab.Contains(t, other.Pushing().Fails(), refused)
	lab.Contains(t, l.Start(other.Client("ls-remote", other.Remote())).Fails(), refused)
	if lab.Exists(filepath.Join(l.Root, other.Name)) {
		t.Error("a key that does not name the app has made it")
	}
	for line, want := range map[string]string{
		"logs " + own.Name: "", "ps:report " + own.Name + " --running": "true\n", "apps:list --quiet": own.Name + "\n",
	} {
		if out, code := l.OverSSH(line); code != 0 || !strings.HasPrefix(out, want) {
			t.Errorf("%s: %d\n%s", line, code, out)
		}
	}
	if out, code := l.OverSSH("ps:stop " + own.Name); code != 1 || !strings.Contains(out, "The key alice may not run ps:stop") {
		t.Errorf("%d\n%s", code, out)
	}
	own.Push(lab.Files{"greeting.txt": "two"})

	l.Dokku("acl:add", own.Name, "alice-later") // of another name: nothing for alice
	l.Dokku("ssh-keys:set", "alice", "--no-app", "--app", other.Name)
	lab.Contains(t, own.Pushing("main:main").Fails(), " !     The key alice may not use the app "+own.Name)
	other.Push(nil)
	other.Serves(other.Tip("main"))
}
