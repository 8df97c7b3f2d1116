package machine

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/notify"
	"dokku/agent/repo"
	"dokku/agent/store"
)

// doctorTests break one thing each. want are the findings that are not ok, in order:
// "TITLE: part of the rest". stays: --fix must not touch it.
var doctorTests = []struct {
	name   string
	damage func(*patient)
	want   []string
	stays  bool
	after  func(*patient)
}{
	{name: "the engine is down", stays: true, damage: func(p *patient) {
		p.engine.Fail(func(string, ...any) error { return engine.ErrUnreachable })
	}, want: []string{"engine: start", "orphans: cannot be told", "shop processes: cannot be told"}},
	{name: "the containers are older than their isolation", damage: func(p *patient) {
		p.next(func(st *app.State) { st.Isolation = app.IsolationOff })
		p.must(p.server.Restart(context.Background(), "shop", event.Log{}))
		p.next(func(st *app.State) { st.Isolation = app.IsolationNow })
	}, stays: true, want: []string{"shop isolation: warning: enabled, but its containers are older than that; dokku ps:restart shop"}},
	{name: "accounts of the host run what apps leave in their folders", damage: func(p *patient) { p.must(os.Chmod(p.storage, 0o755)) }, stays: true,
		want: []string{"permissions: warning: each account of this server may run what apps have put into "}},
	{name: "a node of the swarm is down", stays: true, damage: func(p *patient) { p.swarm(engine.RoleWorker).Die(true) },
		want: []string{"cluster: problem: node 10.0.0.2 (10.0.0.2) is down; start it, or take it out: docker node rm --force node2"}},
	{name: "the swarm has no quorum", stays: true, damage: func(p *patient) { p.swarm(engine.RoleManager).Die(true) },
		want: []string{"cluster: problem: the swarm has lost its quorum: nobody can change it; Its managers are 10.0.0.1:2377, 10.0.0.2:2377: start more than half"}},
	{name: "nothing sets the clock of a swarm", stays: true, damage: func(p *patient) { p.swarm(engine.RoleWorker); p.clockRunsFree = true },
		want: []string{"cluster: warning: nothing sets the clock of this server"}},
	{name: "a certificate of the swarm ends", stays: true, damage: func(p *patient) { p.swarm(engine.RoleWorker); p.certificateLeft = 9 * 24 * time.Hour },
		want: []string{"cluster: warning: the swarm's certificate of 10.0.0.1 ends on "}},
	{name: "a front door is down", stays: true, damage: func(p *patient) { p.frontDoor().Down(true) },
		want: []string{"front doors: problem: front door two (two.test): connection refused; start it; or take it out of the DNS, then: dokku front-door:disable two"}},
	{name: "the clock of a front door is off", stays: true, damage: func(p *patient) {
		p.frontDoor().Clock = func() time.Time { return time.Now().Add(time.Hour) }
	}, want: []string{"front doors: problem: the clock of front door two is off by 1h0m0s", "front doors: problem: front door two lacks the present route of shop; the agent sends them"}},
	{name: "nginx is down", stays: true, damage: func(p *patient) { p.nginx.Down = errTest }, want: []string{"nginx: problem: it is broken; "}},
	{name: "nginx does not include our files", stays: true, damage: func(p *patient) { p.nginx.Foreign = errTest }, want: []string{"nginx: install.sh"}},
	{name: "nginx is behind", stays: true, damage: func(p *patient) { p.nginx.Behind = errTest }, want: []string{"nginx: warning: it is broken; "}},
	{name: "nginx would refuse", stays: true, damage: func(p *patient) { p.nginx.Refused = errTest }, want: []string{"nginx: refuses its configuration: it is broken"}},
	{name: "nginx has few connections", stays: true, damage: func(p *patient) { p.nginx.Few = errTest }, want: []string{"nginx: warning: it is broken; worker_connections"}},
	{name: "no rule of sudo", stays: true, damage: func(p *patient) { p.nginx.Rules = []error{errTest, errTest} },
		want: []string{"nginx: it is broken", "nginx: it is broken"}},
	{name: "sshd is down", stays: true, damage: func(p *patient) { p.sshd.Close() }, want: []string{"sshd: no sshd listens at 127.0.0.1:"}},
	{name: "no keys", stays: true, damage: func(p *patient) { os.Remove(p.path(".ssh", "authorized_keys")) }, want: []string{"ssh keys: no key may push yet"}},
	{name: "a key with a shell", stays: true, damage: func(p *patient) { p.keys("# mine\n\n" + aKey) },
		want: []string{`ssh keys: line 3 of`}},
	{name: "a key for another program", stays: true, damage: func(p *patient) {
		p.keys(`command="DOKKU_ROOT=` + p.root + ` /opt/old/dokku shell alice",restrict ` + aKey)
	}, want: []string{"ssh keys: runs dokku from another place"}},
	{name: "a key that expires soon", stays: true, damage: func(p *patient) {
		p.keys(`command="DOKKU_ROOT=` + p.root + ` ` + p.server.Binary + ` shell alice --role=admin --expires=` + time.Now().Add(72*time.Hour).UTC().Format(time.RFC3339) + `",restrict ` + aKey)
	}, want: []string{"ssh keys: warning: the key alice expires at"}},
	{name: "a key with rights of another version", stays: true, damage: func(p *patient) {
		p.keys(`command="DOKKU_ROOT=` + p.root + ` ` + p.server.Binary + ` shell alice --role=boss",restrict ` + aKey)
	}, want: []string{"ssh keys: has rights by which the key can do nothing: \"boss\" is not a role"}},
	{name: "keys that all may write", damage: func(p *patient) { os.Chmod(p.path(".ssh", "authorized_keys"), 0o666) },
		want: []string{"ssh keys: .ssh/authorized_keys has mode 0666, want 0644"}},
	{name: "the agent is down", stays: true, damage: func(p *patient) { p.agent.Release() }, want: []string{"agent: the agent does not run"}},
	{name: "the agent is an old one", stays: true, damage: func(p *patient) {
		p.agent.F.Truncate(0)
		p.agent.F.Seek(0, 0)
		fmt.Fprintf(p.agent.F, `{"pid":%d,"step":"the agent"}`, os.Getppid())
	}, want: []string{"agent: runs another program than"}},
	{name: "no git", stays: true, damage: func(p *patient) { p.t.Setenv("PATH", p.t.TempDir()) }, want: []string{"git: cannot run git"}},
	{name: "git without receive-pack", stays: true, damage: func(p *patient) {
		p.t.Setenv("GIT_EXEC_PATH", p.t.TempDir())
	}, want: []string{"git: git has no receive-pack"}},
	{name: "hooks that take nothing", stays: true, damage: func(p *patient) { p.failingHooks() }, want: []string{
		"notifications: warning: http://10.0.0.1/**** (",
		"shop notifications: warning: http://10.0.0.1/**** (",
		"shop notifications: given up; dokku notify:test shop "}},
	{name: "little space", stays: true, damage: func(p *patient) { p.disk.Bavail, p.disk.Bfree = 5, 5 },
		want: []string{"disk: warning: 5 % of the space", "disk of the engine: warning: 5 % of the space"}},
	{name: "a push would be refused", stays: true, damage: func(p *patient) { p.disk.Bsize = 1 << 20 },
		want: []string{"disk: problem: 50 % of the space and 50 % of the inodes of ", "disk of the engine: problem: 50 % of the space and 50 % of the inodes of / are free, only 52 MB"}},
	{name: "a push would warn", stays: true, damage: func(p *patient) { p.disk.Bsize = 1 << 23 },
		want: []string{"disk: warning: 50 % of the space and 50 % of the inodes of ", "disk of the engine: warning: "}},
	{name: "no inodes", stays: true, damage: func(p *patient) { p.disk.Ffree = 1 },
		want: []string{"disk: problem: 50 % of the space and 1 % of the inodes", "disk of the engine: problem: "}},
	{name: "a folder that all may read", damage: func(p *patient) { os.Chmod(p.path(".dokku"), 0o755); os.Chmod(p.root, 0o777) },
		want: []string{"permissions: has mode 0777, want 0755 (and 1 more)"}},
	{name: "a state that all may read", damage: func(p *patient) { os.Chmod(p.path("shop", "dokku", "state.json"), 0o644) },
		want: []string{"shop permissions: warning: shop/dokku/state.json has mode 0644, want 0600"}},
	{name: "a release that nobody may write", damage: func(p *patient) { os.Chmod(p.path("shop", "dokku", "releases"), 0o500) },
		want: []string{"shop permissions: shop/dokku/releases has mode 0500, want 0700"}},
	{name: "settings that cannot be read", stays: true, damage: func(p *patient) { p.write("{", ".dokku", "server.json") },
		want: []string{"settings: cannot read"}},
	{name: "a state that cannot be read", stays: true, damage: func(p *patient) { p.write("{", "shop", "dokku", "state.json") },
		want: []string{"shop state: cannot read"}},
	{name: "a state of a newer version", stays: true, damage: func(p *patient) { p.write(`{"version": 99}`, "shop", "dokku", "state.json") },
		want: []string{"shop state: it has version 99"}},
	{name: "a release that cannot be read", stays: true, damage: func(p *patient) { p.write("x", "shop", "dokku", "releases", "1.json") },
		want: []string{"shop state: cannot read release v1"}},
	{name: "a repository without a state", stays: true, damage: func(p *patient) {
		if err := repo.Init(p.server.Env.Store.Disk, p.path("stray"), "/bin/true"); err != nil {
			p.t.Fatal(err)
		}
	}, want: []string{"half-made apps: is a repository, but"}},
	{name: "a create that was killed", damage: func(p *patient) {
		agenttest.Leave(p.t, p.root, store.NewPrefix+"1/app/HEAD", ".dokku/trash/app.1/HEAD")
		p.age(store.NewPrefix + "1")
		p.age(".dokku", "trash", "app.1")
	}, want: []string{"half-made apps: a killed command left "}},
	{name: "hooks are missing", damage: func(p *patient) { os.RemoveAll(p.path("shop", "hooks")) },
		want: []string{"shop repository: the hook pre-receive is missing", "shop repository: the hook post-receive is missing"}},
	{name: "a hook of another place", damage: func(p *patient) {
		os.Remove(p.path("shop", "hooks", "pre-receive"))
		os.Symlink("/bin/true", p.path("shop", "hooks", "pre-receive"))
	}, want: []string{"shop repository: the hook pre-receive runs /bin/true"}},
	{name: "a hook of somebody's", stays: true, damage: func(p *patient) {
		os.Remove(p.path("shop", "hooks", "pre-receive"))
		p.write("#!/bin/sh\n", "shop", "hooks", "pre-receive")
	}, want: []string{"shop repository: is not a link to"}},
	{name: "git that loses a ref when the power goes", damage: func(p *patient) { git(p.t, p.path("shop"), "config", "--unset", "core.fsync") },
		want: []string{"shop repository: warning: core.fsync is not committed,reference: git may lose a recent push"}},
	{name: "git that syncs nothing", damage: func(p *patient) {
		git(p.t, p.path("shop"), "config", "core.fsync", "none")
		git(p.t, p.path("shop"), "config", "receive.unpackLimit", "100")
	}, want: []string{"shop repository: warning: core.fsync is not committed,reference: git may lose a recent push",
		"shop repository: warning: receive.unpackLimit is not 1: git may lose a recent push"}},
	{name: "git was killed", damage: func(p *patient) { agenttest.Leave(p.t, p.path("shop"), agenttest.Litter...) },
		want: []string{"shop repository: (and 8 more), which may block pushes"}},
	{name: "a staged release", damage: func(p *patient) {
		p.state(func(st *app.State) {
			st.Staged = &app.Staged{Release: 7, Ref: "refs/heads/main", New: strings.Repeat("1", 40), Since: time.Now().Add(-6 * time.Minute)}
		})
	}, want: []string{"shop deploy: v7 has been staged since"}},
	{name: "half destroyed", damage: func(p *patient) { p.state(func(st *app.State) { st.Destroying = true }) },
		want: []string{"shop deploy: apps:destroy was not finished"}},
	{name: "half renamed", damage: func(p *patient) {
		p.state(func(st *app.State) { st.Renamed = &app.Renamed{From: "shop"} })
		p.age("shop", "dokku", "state.json")
	}, want: []string{"shop deploy: a rename was not finished"}},
	{name: "nothing was pushed", damage: func(p *patient) {
		if err := p.server.Create(context.Background(), "empty", true); err != nil {
			p.t.Fatal(err)
		}
		p.age("empty", "dokku", "state.json")
	}, want: []string{"empty deploy: by a push that was not accepted"}},
	{name: "a command was killed", damage: func(p *patient) { p.write(`{"pid":1,"step":"ps:scale"}`, ".dokku", "locks", "shop") },
		want: []string{"shop deploy: ps:scale was killed"}},
	{name: "a problem", damage: func(p *patient) { p.write(`{"version":1,"text":"nginx was down"}`, "shop", "dokku", "problem.json") },
		want: []string{"shop problem: nginx was down"}},
	{name: "a container was removed", damage: func(p *patient) { p.remove("shop.worker.1") },
		want: []string{"shop processes: worker.1 is missing"}},
	{name: "a process was stopped", stays: true, damage: func(p *patient) { p.engine.Stop(context.Background(), p.container("shop.worker.1"), 0) },
		want: []string{"shop processes: worker.1 has ended with exit code 0"}},
	{name: "the route has gone", damage: func(p *patient) { p.proxy.Withdraw(context.Background(), "shop") },
		want: []string{"shop route: nginx does not route to the running processes"}},
	{name: "the image has gone", stays: true, damage: func(p *patient) {
		p.loseImage("shop")
		p.remove("shop.worker.1")
	}, want: []string{"shop image: the engine does not have the image of v1 (", "shop processes: worker.1 is missing; dokku ps:rebuild shop"}},
	{name: "another image store", stays: true, damage: func(p *patient) {
		p.loseImage("shop")
		p.engine.SetImage("shop", engine.ImageInfo{ID: "sha256:manifest"})
	}, want: []string{"shop image: dokku ps:rebuild shop"},
		after: func(p *patient) {
			if _, err := p.engine.Image(context.Background(), "sha256:manifest"); err != nil {
				p.t.Errorf("--fix removes the image with another id: %v", err)
			}
		}},
	{name: "an invalid cache-size", stays: true, damage: func(p *patient) { p.setBuild(app.PropCacheSize, "lots") },
		want: []string{`build cache: warning: Invalid cache-size specified: "lots" is not a size`}},
	{name: "what nobody needs", damage: func(p *patient) {
		p.strange("worker", 9)
		p.engine.SetImage("shop", engine.ImageInfo{ID: "sha256:left"})
	}, want: []string{"shop leftovers: container shop.worker.strange", "shop leftovers: image sha256:left is not needed"}},
	{name: "a site that answers nothing", stays: true, damage: func(p *patient) {
		p.server.Env.Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errTest }
	}, want: []string{"shop processes: web.1 does not accept connections on port 8080", "shop processes: web.2 does not accept connections on port 8080"}},
	{name: "another root's app", damage: foreigners, stays: true},
	{name: "the folder and the route of an app have gone", damage: func(p *patient) {
		p.write("this-root\n", ".dokku", "id")
		p.engine.SetRoot("this-root")
		foreign(p, "gone")
		p.engine.SetRoot("another-root")
		foreigners(p)
	}, want: []string{"orphans: App gone does not exist, but 1 container, 1 network, 1 image do"},
		after: func(p *patient) {
			if o, _ := p.engine.Observe(context.Background(), "theirs"); len(o.Instances) != 1 || len(o.Networks) != 1 {
				p.t.Errorf("of another root's app, there is %+v", o)
			}
		}},
	{name: "the app's folder has gone", damage: func(p *patient) { foreigners(p); os.RemoveAll(p.path("shop")) },
		want: []string{"orphans: App shop does not exist, but its route, 3 containers, 1 network, 1 image do"},
		after: func(p *patient) {
			o, _ := p.engine.Observe(context.Background(), "")
			if len(o.Instances) != 1 || len(o.Networks) != 1 || len(o.Images) != 1 || o.Instances[0].App != "theirs" {
				p.t.Errorf("of another root's app and what was left, there is %+v", o)
			}
		}},
	{name: "the name is another root's by now", damage: func(p *patient) {
		os.RemoveAll(p.path("shop"))
		o, _ := p.engine.Observe(context.Background(), "shop")
		for _, i := range o.Instances {
			p.remove(i.Name)
		}
		p.engine.Remove(context.Background(), engine.Resource{Kind: engine.NetworkKind, ID: o.Networks[0].ID})
		p.engine.Network(context.Background(), "filler") // takes the subnet
		foreign(p, "shop")
	}, want: []string{"orphans: App shop does not exist, but its route does"},
		after: func(p *patient) {
			if o, _ := p.engine.Observe(context.Background(), "shop"); len(o.Instances) != 1 {
				p.t.Errorf("--fix removes another root's app: %+v", o)
			}
		}},
}

// foreigners are an app of another root on the same engine.
func foreigners(p *patient) { foreign(p, "theirs") }

func foreign(p *patient, app string) {
	ctx := context.Background()
	info := p.engine.SetImage(app, engine.ImageInfo{ID: "sha256:" + app})
	if _, err := p.engine.Network(ctx, app); err != nil {
		p.t.Fatal(err)
	}
	_, err := p.engine.Start(ctx, engine.Spec{App: app, Kind: engine.KindDeploy, Type: "web", Index: 1, Release: 1, Attempt: "x",
		Name: app + ".web.1", Image: info.ID})
	if err != nil {
		p.t.Fatal(err)
	}
	// A lock of that name is no evidence: a refused push leaves one.
	if l, ok, err := p.server.Env.Store.TryLock(app, "apps:create"); err == nil && ok {
		l.Release()
	}
}

// setBuild writes a setting of the server's builds as an editor would.
func (p *patient) setBuild(name, value string) {
	p.t.Helper()
	if err := p.server.Env.Store.UpdateSettings(context.Background(), func(s *app.Settings) error {
		s.Build = map[string]string{name: value}
		return nil
	}); err != nil {
		p.t.Fatal(err)
	}
}

// loseImage takes the image of the app's current release from the engine.
func (p *patient) loseImage(app string) {
	p.t.Helper()
	a, err := p.server.Env.Store.Load(app)
	if err != nil {
		p.t.Fatal(err)
	}
	p.engine.LoseImage(a.Current.Image)
}

func (p *patient) remove(name string) {
	p.t.Helper()
	if err := p.engine.Remove(context.Background(), engine.Resource{Kind: engine.Container, ID: p.container(filepath.Base(name))}); err != nil {
		p.t.Fatal(err)
	}
}

// failingHooks gives the server a hook whose notification waits for hours, and the app one
// like that, one whose notification was given up, and one that has failed just now.
func (p *patient) failingHooks() {
	p.t.Helper()
	q := notify.Queue{Dir: p.server.Env.Store.Notifications()}
	hook := func(path, owner string, ago time.Duration) app.Hook {
		h, err := app.NewHook("http://10.0.0.1/"+path, []string{app.TopicCrash}, "", "a secret of sixteen", "admin")
		if err != nil {
			p.t.Fatal(err)
		}
		e := journal.Event{Event: journal.Crash, App: "shop", Time: time.Now().Add(-ago)}
		if _, err := q.Add(h, owner, e); err != nil {
			p.t.Fatal(err)
		}
		state := filepath.Join(q.Dir, h.ID, "state.json")
		if err := os.WriteFile(state, []byte(`{"last_try": "2026-11-28T12:00:00Z", "error": "it answers 500"}`), 0o600); err != nil {
			p.t.Fatal(err)
		}
		return h
	}
	all, old, gone, fresh := hook("all", "", 2*time.Hour), hook("old", "shop", 2*time.Hour), hook("gone", "shop", 0), hook("fresh", "shop", time.Minute)
	waiting, _ := filepath.Glob(filepath.Join(q.Dir, gone.ID, "*.notice"))
	if len(waiting) != 1 || os.Remove(waiting[0]) != nil {
		p.t.Fatalf("it waits: %q", waiting)
	}
	p.state(func(st *app.State) { st.Hooks = []app.Hook{old, gone, fresh} })
	if err := p.server.Env.Store.UpdateSettings(context.Background(), func(s *app.Settings) error { s.Hooks = []app.Hook{all}; return nil }); err != nil {
		p.t.Fatal(err)
	}
}
