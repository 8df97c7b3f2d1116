package repo

import (
	"os/exec"
	"testing"
)

// TestReplacedObject: a ref in refs/replace/ that leads to itself, which an older version took
// from a push, ended each git that packed or checked the repository.
func TestReplacedObject(t *testing.T) {
	dir := newRepository(t)
	script := `cd "$1" && tree=$(git hash-object -w -t tree /dev/null) && id=$(git commit-tree -m c "$tree") && git update-ref refs/heads/main "$id" && ` +
		`mkdir -p refs/replace && echo "$id" >"refs/replace/$id"`
	cmd := exec.Command("sh", "-c", script, "sh", dir)
	cmd.Env = gitEnv(t.TempDir())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	must(t, Fsck(t.Context(), dir))
	must(t, PackRefs(t.Context(), dir))
	must(t, PackAll(t.Context(), dir))
	must(t, Pack(t.Context(), dir))
}
