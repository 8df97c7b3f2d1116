package machine

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/event"
)

// TestContainerFiles: scripts find the ids of the current processes' containers in Dokku's files
// after each operation, and none of other containers.
func TestContainerFiles(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx, none := t.Context(), event.Log{}
	expect := func(what, dir string) {
		t.Helper()
		a := m.load(dir)
		o, err := m.engine.Observe(ctx, dir)
		check(t, err)
		want := map[string]string{}
		for _, i := range o.Instances {
			if _, retiring := a.State.Retiring[i.ID]; i.Kind == engine.KindDeploy && i.Release == a.Current.Number && !retiring {
				want[fmt.Sprintf("CONTAINER.%s.%d", i.Type, i.Index)] = i.ID + "\n"
			}
		}
		got := map[string]string{}
		files, err := filepath.Glob(filepath.Join(m.server.Env.Store.Dir(dir), "*CONTAINER*"))
		check(t, err)
		for _, path := range files {
			text, err := os.ReadFile(path)
			check(t, err)
			got[filepath.Base(path)] = string(text)
		}
		if !maps.Equal(got, want) || len(want) == 0 {
			t.Errorf("after %s: %v, want %v", what, got, want)
		}
	}
	check(t, m.push(h.one, h.two))
	expect("a push", "shop")
	check(t, m.server.Scale(ctx, "shop", map[string]int{"web": 3, "worker": 0}, false, none))
	expect("ps:scale", "shop")
	check(t, m.server.Scale(ctx, "shop", map[string]int{"web": 1}, false, none))
	expect("ps:scale down", "shop")
	check(t, m.server.Restart(ctx, "shop", none))
	expect("ps:restart", "shop")
	check(t, m.server.Rename(ctx, "shop", "store", false, none))
	expect("apps:rename", "store")
}
