package e2e

import (
	"crypto/rand"
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
)

// TestDiskQuotaReal: a pusher fills the server's disk by what a buildpack keeps in the app's
// cache, which is a volume, by what a process writes, and by a file on a side branch. What is over the quota is refused with a
// line that says what has how much. The version that serves goes on, no ref moves, and once the
// cache is removed the next push is accepted.
func TestDiskQuotaReal(t *testing.T) {
	t.Parallel()
	a := herokuishApp(t)
	l := a.Lab
	a.Push(nil)
	tip := a.Tip("main")
	lab.Contains(t, l.Dokku("apps:report", a.Name, "--app-disk-use"), " kB, images ", " MB, build cache ", " kB)")
	l.Dokku("apps:set", a.Name, "disk-quota", "60m")
	refused := func(out, what string) {
		t.Helper()
		lines := 0
		for line := range strings.Lines(out) {
			if strings.Contains(line, a.Name+" may keep 63 MB on the server's disk, and it would keep ") && strings.Contains(line, what) {
				lines++
			}
		}
		if lines != 1 {
			t.Errorf("%d lines say %q:\n%s", lines, what, out)
		}
		if got := a.Tip("main"); got != tip {
			t.Errorf("main is at %s", got)
		}
		a.Serves(tip)
	}

	out := a.Rejected(lab.Files{"slow": "dd if=/dev/zero of=\"$2/big\" bs=1M count=80 2>&1\n"})
	refused(out, ", build cache 84 MB)")
	out = a.Rejected(lab.Files{"other": "1"})
	refused(out, ", build cache 84 MB)")
	lab.Contains(t, out, "repo:purge-cache "+a.Name+")")
	lab.Contains(t, l.Dokku("repo:purge-cache", a.Name), "       Removed volume cache-"+a.Name)
	out = a.Push(lab.Files{"more": "1"})
	lab.Contains(t, out, "       cache: 1")
	tip = a.Tip("main")
	a.Serves(tip)

	l.Dokku("enter", a.Name, "web", "dd", "if=/dev/zero", "of=/app/written", "bs=1M", "count=70")
	out = a.Rejected(lab.Files{"other": "2"})
	refused(out, ", written by containers 7")
	lab.Contains(t, out, "ps:restart "+a.Name+")")
	l.Dokku("ps:restart", a.Name)
	a.Push(lab.Files{"other": "3"})
	tip = a.Tip("main")
	a.Serves(tip)

	large := make([]byte, 70<<20)
	rand.Read(large)
	a.Commit(lab.Files{"large": string(large)})
	refused(a.Pushing("HEAD:refs/heads/side").Fails(), "(repository 7")
	if a.Tip("side") != "" {
		t.Error("the branch is there")
	}
	l.Dokku("apps:set", a.Name, "disk-quota", "none")
	a.Pushing("HEAD:refs/heads/side").Succeeds()
	l.Dokku("apps:destroy", "--force", a.Name)
	if left := append(caches(a), a.Left()); len(left) != 1 || left[0] != "" {
		t.Errorf("apps:destroy leaves %q", left)
	}
}
