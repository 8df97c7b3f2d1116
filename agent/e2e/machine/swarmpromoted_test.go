package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/deploy"
	"dokku/agent/engine/node"
	"dokku/agent/registry"
)

// TestSwarmPromoted: another server of the swarm takes the place of the first one, which was
// lost. A restore that could not start the app, because the registry was lost too, changes
// nothing: the old processes still serve visitors. With a registry it replaces them.
func TestSwarmPromoted(t *testing.T) {
	old, _ := newSwarm(t)
	served, _, err := registry.Prepare(old.server.Env.Store, "registry.test", 443, time.Now())
	check(t, err)
	check(t, old.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
		set.Registry[app.PropRegistry] = served.Server()
		return nil
	}))
	data := old.backedUp(backup.BackupOptions{Images: true})

	m := old.another()
	m.engine = old.engine
	m.turnOn()
	before := m.engine.Placed("shop", "web")
	_, err = m.restored(data, backup.RestoreOptions{OnHost: true})
	refuses(t, err, "nothing has changed", "shop still runs on this server's swarm", "dokku registry:serve")
	if after := m.engine.Placed("shop", "web"); len(before) != 3 || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("before the restore web was at %v, after it at %v", before, after)
	}
	if _, err := os.Stat(filepath.Join(m.root, "shop")); err == nil {
		t.Error("the app is there")
	}

	check(t, m.server.Env.Store.UpdateSettings(context.Background(), func(set *app.Settings) error {
		set.Registry = map[string]string{app.PropRegistry: "registry.test"}
		return nil
	}))
	printed, err := m.restored(data, backup.RestoreOptions{OnHost: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	m.settle()
	check(t, m.atRest())
	m.spread("web", 3)
}

// TestSwarmPromotedKeys: the server that takes the place of the first one goes on with the keys
// that the nodes have, so that the routes which visitors use stay good. It takes none that the
// nodes do not have, and none over ssh: whoever made them could ask the engines of all nodes.
func TestSwarmPromotedKeys(t *testing.T) {
	old, _ := newSwarm(t)
	keys := deploy.NodeKeys(old.server.Env.Store)
	given, err := keys.Make(t.Context(), time.Now())
	check(t, err)
	old.engine.SetNodeServiceKeys(node.ID(given.Node))
	data := old.backedUp(backup.BackupOptions{Images: true})
	for name, c := range map[string]struct {
		ssh, rotated, own, nodes bool
		says                     string
	}{
		"on the server":              {says: "Restoring the keys of the nodes"},
		"over ssh":                   {ssh: true, says: "The keys of the nodes are not restored over ssh: requests to an app on the swarm fail until it is restored"},
		"after a change of the keys": {rotated: true, says: "The keys of the nodes have changed since this backup was made"},
		"with keys that no node has": {own: true, says: "Restoring the keys of the nodes"},
		"with the nodes' keys":       {own: true, nodes: true},
	} {
		t.Run(name, func(t *testing.T) {
			m := old.another()
			m.engine = old.engine.Clone()
			m.turnOn()
			check(t, m.server.Env.Store.UpdateSettings(context.Background(), func(set *app.Settings) error {
				set.Registry = map[string]string{app.PropRegistry: "registry.test"}
				return nil
			}))
			keys := deploy.NodeKeys(m.server.Env.Store)
			var own node.Set
			if c.own {
				own, err = keys.Make(t.Context(), time.Now())
				check(t, err)
			}
			if c.nodes {
				m.engine.SetNodeServiceKeys(node.ID(own.Node))
			}
			if c.rotated {
				m.engine.SetNodeServiceKeys(strings.Repeat("a", 32))
			}
			printed, err := m.restored(data, backup.RestoreOptions{OnHost: !c.ssh})
			if err != nil || !strings.Contains(printed, c.says) {
				t.Fatalf("%v\n%s", err, printed)
			}
			has, err := keys.Load()
			switch {
			case c.nodes && (err != nil || node.ID(has.Node) != node.ID(own.Node)):
				t.Errorf("its own keys are replaced (%v)", err)
			case (c.ssh || c.rotated) && (err != nil || node.ID(has.Node) == node.ID(given.Node)):
				t.Errorf("it does not have new keys (%v)", err)
			case c.says == "Restoring the keys of the nodes" && (err != nil || !reflect.DeepEqual(has.Files(), given.Files())):
				t.Errorf("it does not have the keys of the nodes (%v)", err)
			}
		})
	}
}

// TestSwarmUntrusted: where a node cannot pull from the registry of this server, the push says
// how it gets to trust it.
func TestSwarmUntrusted(t *testing.T) {
	m, h := newSwarm(t)
	m.engine.Swarm().FailPulls("node2", errors.New("x509: certificate signed by unknown authority"))
	err := m.push(h.one, h.two)
	refuses(t, err, "the node cannot pull the image")
	if strings.Contains(err.Error(), "registry:serve") {
		t.Errorf("this server has no registry: %v", err)
	}
	_, _, err = registry.Prepare(m.server.Env.Store, "registry.test", 443, time.Now())
	check(t, err)
	refuses(t, m.push(h.one, h.two), "the node cannot pull the image", "on the server: sudo dokku registry:serve")
}

// TestRestoreRegistry: a registry that outlives the server is restored, with what images are
// called there; the server's own is not.
func TestRestoreRegistry(t *testing.T) {
	for _, own := range []bool{false, true} {
		old, _ := newSwarm(t)
		served, _, err := registry.Prepare(old.server.Env.Store, "registry.test", 443, time.Now())
		check(t, err)
		check(t, old.server.Env.Store.UpdateSettings(t.Context(), func(set *app.Settings) error {
			set.Registry = map[string]string{app.PropRegistry: "registry.example.com", app.PropImageRepoTemplate: "'team/{{ .AppName }}'"}
			if own {
				set.Registry[app.PropRegistry] = served.Server()
			}
			return nil
		}))
		m := old.another()
		_, _ = m.restored(old.backedUp(backup.BackupOptions{Images: true}), backup.RestoreOptions{OnHost: true})
		set, err := m.server.Settings()
		check(t, err)
		want := "map[image-repo-template:'team/{{ .AppName }}' server:registry.example.com]"
		if own {
			want = "map[]"
		}
		if got := fmt.Sprint(set.Registry); got != want {
			t.Errorf("the registry's settings are %s", got)
		}
	}
}
