package sources

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/deploy"
	"dokku/build/source"
)

// TestKeep: the repository of a detached push has all that git's quarantine had, and the
// end of a shallow client's history, when the quarantine is gone. Whoever finds its folder
// without a process removes it.
func TestKeep(t *testing.T) {
	b := newBench(t)
	work := filepath.Join(t.TempDir(), "work")
	b.git("init", "-q", "-b", "main", work)
	for _, text := range []string{"1", "2", "3"} {
		must(t, os.WriteFile(filepath.Join(work, "file"), []byte(text), 0o600))
		b.git("-C", work, "add", "-A")
		b.git("-C", work, "commit", "-q", "-m", text)
	}
	shallow := filepath.Join(t.TempDir(), "shallow")
	b.git("clone", "-q", "--bare", "--depth=2", "file://"+work, shallow)
	tip, end := b.git("-C", work, "rev-parse", "main"), b.git("-C", work, "rev-parse", "main~1")

	st := b.server.Env.Store
	app := st.Dir("hello")
	quarantine := filepath.Join(app, "objects", "tmp_objdir-incoming-1")
	must(t, os.Rename(filepath.Join(shallow, "objects"), quarantine))
	d := Detached{App: "hello", Deploy: 4, Refs: []deploy.Ref{{Old: deploy.ZeroID, New: tip, Name: "refs/heads/main"}, {Old: tip, New: deploy.ZeroID, Name: "refs/heads/old"}}}
	dir, lock, err := d.Keep(st, source.Options{GitDir: app, ObjectDir: quarantine, Alternates: filepath.Join(app, "objects")})
	must(t, err)
	must(t, os.RemoveAll(quarantine))
	if got := b.git("--git-dir="+dir, "rev-list", tip); got != tip+"\n"+end {
		t.Errorf("it has the commits\n%s", got)
	}
	if got := b.git("--git-dir="+dir, "show", tip+":file"); got != "3" {
		t.Errorf("the file is %q", got)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "shallow")); string(got) != end+"\n" || err != nil {
		t.Errorf("its history ends at %q, %v", got, err)
	}
	words := Push{App: "hello", Refs: d.Refs, Options: []string{"skip-checks"}}.words("/bin/it is", app)
	if got, want := strings.Join(words, " "), "--porcelain --no-verify --receive-pack='/bin/it is' receive-pack --push-option=skip-checks"+
		" --force-with-lease=refs/heads/main: --force-with-lease=refs/heads/old:"+tip+" "+app+" "+tip+":refs/heads/main :refs/heads/old"; got != want {
		t.Errorf("git push\n%s, want\n%s", got, want)
	}

	st.SweepStaging()
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("it is swept while it is used: %v", err)
	}
	lock.Close()
	st.SweepStaging()
	if _, err := os.Stat(dir); err == nil {
		t.Error("it stays when nobody uses it")
	}
}
