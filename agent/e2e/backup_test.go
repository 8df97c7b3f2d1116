package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A backup over ssh, restored on a server of its own: the app answers there, and the
// next push from the old clone goes on.
func TestBackup(t *testing.T) {
	t.Parallel()
	old := newLab(t, nil)
	a := old.deployed(files{"Procfile": twoTypes, "DOKKU_SCALE": "web=2\nworker=1\n"})
	old.dokku("config:set", a.name, "GREETING=hello")
	old.dokku("domains:add", a.name, a.name+".e2e.test", "own.example.com")
	rev := a.tip("main")
	var saved, said bytes.Buffer
	cmd := exec.Command(old.front.ssh[0], append(old.front.ssh[1:], old.front.dest, "backup --images "+a.name)...)
	cmd.Stdout, cmd.Stderr = &saved, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	contains(t, said.String(), "-----> Backing up "+a.name+" (v2, "+rev[:7]+")", "-----> Reading 1 image of "+a.name, "=====> Backed up 1 app: ")
	plain := filepath.Join(t.TempDir(), "plain.tar.gz")
	old.dokku("backup", "--output", plain)
	old.dokku("apps:destroy", "--force", a.name)
	if left := a.resources(); left != "" {
		t.Fatalf("the destroyed app left\n%s", left)
	}

	l := newLab(t, nil)
	l.startAgent()
	restore := exec.Command(l.front.ssh[0], append(l.front.ssh[1:], l.front.dest, "restore")...)
	restore.Stdin = bytes.NewReader(saved.Bytes())
	out := l.start(restore).succeeds()
	contains(t, out, "-----> Restoring "+a.name+" (v2, "+rev[:7]+")", "-----> Starting web.1 web.2 worker.1", "=====> Restored 1 app")
	if strings.Contains(out, "Building") {
		t.Errorf("it was built although its image was there:\n%s", out)
	}
	b := &app{l, a.name, a.work}
	b.serves(rev)
	b.runs("web.1", "web.2", "worker.1")
	if b.state().Current != 3 || l.dokku("config:get", b.name, "GREETING") != "hello\n" {
		t.Errorf("the state is %+v", b.state())
	}
	if status, body := l.nginx.Get("own.example.com", "/"); status != 200 || !strings.HasPrefix(body, rev) {
		t.Errorf("its own domain is answered %d %q", status, body)
	}
	b.push(files{"version": "2"})
	b.serves(b.tip("main"))
	b.rests()

	// Without images it is built again. What exists is not replaced unasked.
	if out := l.refused("restore", "--input", plain); !strings.Contains(out, "these apps exist already: "+a.name) {
		t.Errorf("%s", out)
	}
	b.serves(b.tip("main"))
	l.dokku("apps:destroy", "--force", a.name)
	out = l.dokku("restore", "--input", plain, a.name)
	contains(t, out, "-----> Restoring "+a.name+" (v2, "+rev[:7]+")", "-----> Building "+a.name, "=====> Restored 1 app")
	b.serves(rev)
	b.rests()
	if fi, err := os.Stat(plain); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	l.dokku("apps:destroy", "--force", a.name)
}
