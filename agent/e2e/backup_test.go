package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestBackup makes a backup over ssh and restores it on another server. The app answers
// there, and the next push from the old clone works.
func TestBackup(t *testing.T) {
	t.Parallel()
	old := lab.New(t, nil)
	a := old.Deployed(lab.Files{"Procfile": twoTypes, "DOKKU_SCALE": "web=2\nworker=1\n"})
	old.Dokku("config:set", a.Name, "GREETING=hello")
	old.Dokku("domains:add", a.Name, a.Name+".e2e.test", "own.example.com")
	rev := a.Tip("main")
	var saved, said bytes.Buffer
	cmd := exec.Command(old.Front.SSH[0], append(old.Front.SSH[1:], old.Front.Dest, "backup --images "+a.Name)...)
	cmd.Stdout, cmd.Stderr = &saved, &said
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	lab.Contains(t, said.String(), "-----> Backing up "+a.Name+" (v2, "+rev[:7]+")", "-----> Reading 1 image of "+a.Name, "=====> Backed up 1 app: ")
	plain := filepath.Join(t.TempDir(), "plain.tar.gz")
	old.Dokku("backup", "--output", plain)
	old.Dokku("apps:destroy", "--force", a.Name)
	if left := a.Resources(); left != "" {
		t.Fatalf("the destroyed app left\n%s", left)
	}

	l := lab.New(t, nil)
	l.StartAgent()
	restore := exec.Command(l.Front.SSH[0], append(l.Front.SSH[1:], l.Front.Dest, "restore")...)
	restore.Stdin = bytes.NewReader(saved.Bytes())
	out := l.Start(restore).Succeeds()
	lab.Contains(t, out, "-----> Restoring "+a.Name+" (v2, "+rev[:7]+")", "-----> Starting web.1 web.2 worker.1", "=====> Restored 1 app")
	if strings.Contains(out, "Building") {
		t.Errorf("it was built although its image was there:\n%s", out)
	}
	b := &lab.App{Lab: l, Name: a.Name, Work: a.Work}
	b.Serves(rev)
	b.Runs("web.1", "web.2", "worker.1")
	if b.State().Current != 3 || l.Dokku("config:get", b.Name, "GREETING") != "hello\n" {
		t.Errorf("the state is %+v", b.State())
	}
	if status, body := l.Nginx.Get("own.example.com", "/"); status != 200 || !strings.HasPrefix(body, rev) {
		t.Errorf("its own domain is answered %d %q", status, body)
	}
	b.Push(lab.Files{"version": "2"})
	b.Serves(b.Tip("main"))
	b.Rests()

	// Without images it is built again. An existing app is not replaced unasked.
	if out := l.Refused("restore", "--input", plain); !strings.Contains(out, "these apps exist already: "+a.Name) {
		t.Errorf("%s", out)
	}
	b.Serves(b.Tip("main"))
	l.Dokku("apps:destroy", "--force", a.Name)
	out = l.Dokku("restore", "--input", plain, a.Name)
	lab.Contains(t, out, "-----> Restoring "+a.Name+" (v2, "+rev[:7]+")", "-----> Building "+a.Name, "=====> Restored 1 app")
	b.Serves(rev)
	b.Rests()
	if fi, err := os.Stat(plain); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", fi, err)
	}
	l.Dokku("apps:destroy", "--force", a.Name)
}
