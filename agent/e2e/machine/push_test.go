package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/build"
)

// files returns every file below the app's dokku folder by name, with its content.
func (m *machine) files() map[string]string {
	m.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(m.server.Env.Store.File("shop"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/deploys/") || filepath.Base(path) == "manifest" {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = string(b)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return all
}

// TestRejectedPush tries each cause of a rejection. The push must fail and leave
// settings, releases, containers, images and the route as they were (I4, I8).
func TestRejectedPush(t *testing.T) {
	h := newHistory(t)
	isNew := func(s engine.Spec) bool { return s.Release > 1 }
	for _, test := range []struct {
		name   string
		behave func(engine.Spec) memory.Behaviour
		want   []string
	}{
		{"the release command fails", func(s engine.Spec) memory.Behaviour {
			if s.Type == "release" {
				return memory.Behaviour{Exits: true, Code: 3}
			}
			return memory.Behaviour{Exits: s.Kind == engine.KindRelease}
		}, []string{"the release command failed with exit code 3", "The predeploy command has already run"}},
		{"predeploy fails", func(s engine.Spec) memory.Behaviour {
			return memory.Behaviour{Exits: s.Kind == engine.KindRelease, Code: 3}
		}, []string{"the predeploy command failed with exit code 3"}},
		{"a worker ends at once", func(s engine.Spec) memory.Behaviour {
			return memory.Behaviour{Exits: s.Kind == engine.KindRelease || isNew(s) && s.Type == "worker"}
		}, []string{"worker.1 exited with code 0", " !     The release command has already run"}},
		{"web runs out of memory", func(s engine.Spec) memory.Behaviour {
			if isNew(s) && s.Type == "web" {
				return memory.Behaviour{Exits: true, Code: 137, OOMKilled: true}
			}
			return memory.Behaviour{Exits: s.Kind == engine.KindRelease}
		}, []string{"ran out of memory", ", the default of this server; to double it: dokku resource:limit --memory ", " !     The release command has already run"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, h)
			files := m.files()
			before, _ := m.engine.Observe(context.Background(), "shop")
			published := len(m.proxy.Published())
			m.engine.Behave(test.behave)
			var printed strings.Builder
			term := event.NewTerminal(&printed, &printed, false)
			err := m.pushLogged(h.one, h.two, event.New(term))
			term.Close()
			if err == nil {
				t.Fatal("the push was accepted")
			}
			all := printed.String() + err.Error()
			for _, want := range test.want {
				if !strings.Contains(all, want) {
					t.Errorf("it prints\n%s\nwant %q", all, want)
				}
			}
			after, _ := m.engine.Observe(context.Background(), "shop")
			same := slices.EqualFunc(before.Instances, after.Instances, func(a, b engine.Instance) bool { return a.ID == b.ID })
			if !same || len(before.Images) != len(after.Images) {
				t.Errorf("before: %v\nafter: %v", before, after)
			}
			if len(m.proxy.Published()) != published {
				t.Error("the route was changed")
			}
			for path, content := range m.files() {
				if files[path] != content {
					t.Errorf("%s has changed:\n%s", path, content)
				}
			}
			if err := m.atRest(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDeniedForcePush refuses before the build what git would refuse after it.
func TestDeniedForcePush(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	if err := m.push(h.one, h.two); err != nil {
		t.Fatal(err)
	}
	git(t, m.server.Env.Store.Dir("shop"), "config", "receive.denyNonFastForwards", "true")
	m.settle()
	m.count = 0
	err := m.push(h.two, h.one)
	if err == nil || !strings.Contains(err.Error(), "receive.denyNonFastForwards") || m.count != 0 {
		t.Errorf("%d changes, error %v", m.count, err)
	}
	git(t, m.server.Env.Store.Dir("shop"), "config", "receive.denyNonFastForwards", "false")
	if err := m.push(h.two, h.one); err != nil {
		t.Errorf("a force push that is allowed: %v", err)
	}
}

// TestBranchBesideAnother: a pusher has the server build, start and gate a branch that git
// then cannot create, since the name of another one is its folder. It is refused before.
func TestBranchBesideAnother(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	m.must(m.server.Update(t.Context(), "shop", deploy.Op{Name: "git:set"}, event.Log{}, func(st *app.State) error {
		st.DeployBranch = "live"
		return nil
	}))
	dir := m.server.Env.Store.Dir("shop")
	push := func(want string, o deploy.PushOptions, refs ...string) {
		t.Helper()
		p := deploy.Push{App: "shop", Options: o}
		for _, r := range refs {
			p.Refs = append(p.Refs, deploy.Ref{Old: deploy.ZeroID, New: h.two, Name: "refs/heads/" + r})
		}
		m.count = 0
		var out strings.Builder
		term := event.NewTerminal(&out, &out, false)
		err := m.send(t.Context(), p, m.packs[h.two], event.New(term))
		term.Close()
		if err == nil || m.count != 0 || !strings.Contains(out.String()+err.Error(), want) {
			t.Errorf("%d changes, error %v, want %q", m.count, err, want)
		}
	}
	beside := "git cannot create live beside the branch live/x, which exists on the server; remove that (git push REMOTE --delete live/x), and push again"
	for _, pack := range []bool{false, true} {
		git(t, dir, "update-ref", "refs/heads/live/x", h.one)
		if pack {
			git(t, dir, "pack-refs", "--all")
		}
		push(beside, deploy.PushOptions{}, "live")
		push(beside, deploy.PushOptions{Plan: true}, "live")
		git(t, dir, "update-ref", "-d", "refs/heads/live/x")
	}
	push("git cannot create both live and live/y; push one of them alone", deploy.PushOptions{}, "live/y", "live")
}

// TestLongBranch: a pusher makes a ref of 1,400 folders, through which git goes for minutes
// while the app is locked, and which no backup of the server can hold.
func TestLongBranch(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	name := strings.Repeat("a/", 128)
	push := func(ref string) error {
		return m.send(t.Context(), deploy.Push{App: "shop", Refs: []deploy.Ref{{Old: deploy.ZeroID, New: h.two, Name: ref}}}, m.packs[h.two], event.Log{})
	}
	for _, ref := range []string{"refs/heads/" + name, "refs/tags/" + name} {
		if err := push(ref); err == nil || !strings.Contains(err.Error(), " bytes, more than the limit of 255; push it under a shorter name") {
			t.Errorf("%.20s: %v", ref, err)
		}
	}
	if err := push("refs/heads/" + strings.Repeat("a", 255)); err != nil {
		t.Error(err)
	}
}

// TestBudgetsOfRefs (L1, L3): a ref of 1,500 levels held the app's lock for 200 s, and a push
// of 10,000 refs made 21,000 inodes. Both are refused, without the lock, which somebody else
// holds here; budgets of the app and of the server count.
func TestBudgetsOfRefs(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	m.must(m.push(h.one, h.two))
	held, err := m.server.Env.Store.LockApp(t.Context(), "shop", "a test", event.Log{})
	m.must(err)
	defer held.Release()
	many := func(n int) (refs []deploy.Ref) {
		for i := range n {
			refs = append(refs, deploy.Ref{Old: deploy.ZeroID, New: h.two, Name: fmt.Sprintf("refs/tags/v%d", i)})
		}
		return refs
	}
	one := func(name string) []deploy.Ref {
		return []deploy.Ref{{Old: deploy.ZeroID, New: h.two, Name: name}}
	}
	refused := func(refs []deploy.Ref, want string) {
		t.Helper()
		// Nothing waits for the lock.
		if err := m.send(t.Context(), deploy.Push{App: "shop", Refs: refs, Options: deploy.PushOptions{NoWait: true}}, m.packs[h.two], event.Log{}); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	refused(one("refs/heads/"+strings.Repeat("a/", 16)+"a"), "the name of "+strings.Repeat("a/", 16)+"a... has 17 parts between slashes, more than the limit of 16; "+
		"push it under another name (git push REMOTE HEAD:NAME)")
	refused(many(1001), "this push changes 1001 branches and tags, more than 1000; push fewer of them at a time")
	set := func(own bool, name, value string) {
		t.Helper()
		if !own {
			m.must(m.server.Env.Store.UpdateSettings(t.Context(), func(s *app.Settings) error { cli.Put(&s.Git, name, value); return nil }))
			return
		}
		a, err := m.server.Load("shop")
		m.must(err)
		cli.Put(&a.State.Git, name, value)
		m.must(m.server.Env.Store.SaveState("shop", &a.State))
	}
	set(false, "push-max-refs", "2")
	refused(many(3), "this push changes 3 branches and tags, more than 2; push fewer of them at a time")
	set(true, "push-max-refs", "3")
	set(true, "repository-max-refs", "3")
	refused(many(3), "shop would have 4 branches and tags, more than 3; delete some first (git push REMOTE --delete NAME)")
	set(true, "push-max-refs", "many")
	refused(many(3), `cannot use push-max-refs "many": it has to be a number from 1 to 100000; correct it: dokku git:set shop push-max-refs NUMBER`)
}

// TestFreezingStopSignal: an image's STOPSIGNAL 19 makes a drained process wait, with the
// requests that it answers, until it is killed.
func TestFreezingStopSignal(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
		info := m.engine.SetImage(r.App, engine.ImageInfo{ID: "sha256:" + r.Commit.Tree, Ports: []int{8080}, StopSignal: "19"})
		return build.Result{ImageID: info.ID}, nil
	}
	want := "the image's STOPSIGNAL is 19, which freezes a process instead of ending it, with the requests that it answers; " +
		"write STOPSIGNAL SIGTERM in the Dockerfile, or: dokku docker-options:add shop deploy --stop-signal SIGTERM"
	if err := m.push(h.one, h.two); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v", err)
	}
	m.must(m.server.Update(t.Context(), "shop", deploy.Op{Name: "docker-options:add"}, event.Log{}, func(st *app.State) error {
		st.DockerOptions = map[string][]string{"deploy": {"--stop-signal SIGTERM"}}
		return nil
	}))
	m.must(m.push(h.one, h.two))
}

// TestHeavyImages: a Dockerfile with EXPOSE 1-65535/udp has the engine list all of them with
// each of its containers, which takes it so long that no app can start or stop one. Volumes
// and labels do the same. What a registry or an archive has is no better.
func TestHeavyImages(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	var weight engine.ImageWeight
	m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
		info := m.engine.SetImage(r.App, engine.ImageInfo{ID: "sha256:" + r.Commit.Tree, Ports: []int{8080}, Weight: weight})
		return build.Result{ImageID: info.ID}, nil
	}
	for _, test := range []struct {
		weight engine.ImageWeight
		want   string
	}{
		{engine.ImageWeight{Ports: 65535}, "the image exposes 65535 ports, more than 64; EXPOSE fewer in the Dockerfile, or use another base image, or: dokku ps:set shop max-image-ports NUMBER"},
		{engine.ImageWeight{Volumes: 33}, "the image has 33 volumes, more than 32; remove VOLUME lines from the Dockerfile, or use another base image"},
		{engine.ImageWeight{Labels: 129}, "the image has 129 labels, more than 128; remove LABEL lines from the Dockerfile, or use another base image"},
		{engine.ImageWeight{LabelBytes: 65537}, "the image has 65537 bytes of labels, more than 65536; shorten the LABEL lines of the Dockerfile, or use another base image"},
		{engine.ImageWeight{Bytes: 262145}, "the image has 262145 bytes of configuration, more than 262144; shorten ENV and the other lines of the Dockerfile that every container gets, or use another base image"},
	} {
		weight = test.weight
		refused := func(way string, err error) {
			t.Helper()
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("%s: %v, want %q", way, err, test.want)
			}
		}
		refused("push", m.push(h.one, h.two))
		refused("git:from-image", m.fromImage(t.Context(), "shop"))
		refused("git:load-image", m.loadImage(t.Context(), "shop"))
	}
	weight = engine.ImageWeight{Ports: 64, Volumes: 32, Labels: 128, LabelBytes: 64 << 10, Bytes: 256 << 10}
	m.must(m.push(h.one, h.two))
	weight.Ports = 16385 // a relay for calls
	m.must(m.server.Update(t.Context(), "shop", deploy.Op{Name: "ps:set"}, event.Log{}, func(st *app.State) error {
		cli.Put(&st.PS, app.PropMaxImagePorts, "16385")
		return nil
	}))
	m.must(m.fromImage(t.Context(), "shop"))
}

// TestOneOffCommands runs the commands of a revision once each, in order. As in Dokku,
// the message about the deploy comes last.
func TestOneOffCommands(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	for name, deploy := range map[string]func(event.Log) error{
		"a push":     func(log event.Log) error { return m.pushLogged(h.one, h.two, log) },
		"ps:rebuild": func(log event.Log) error { return m.server.Rebuild(t.Context(), "shop", log) },
	} {
		var printed strings.Builder
		term := event.NewTerminal(&printed, &printed, false)
		err := deploy(event.New(term))
		term.Close()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rest := printed.String()
		for _, want := range []string{"Executing predeploy task from app.json: prepare", "predeploy ran", "Executing release task from Procfile in ephemeral container: migrate", "release ran",
			"Starting web.1 web.2 worker.1", "Executing postdeploy task from app.json in ephemeral container: tell", "postdeploy ran", "=====> Application deployed"} {
			_, after, ok := strings.Cut(rest, want)
			if !ok {
				t.Fatalf("%s: %q is missing, or not in its place:\n%s", name, want, printed.String())
			}
			rest = after
		}
		m.settle()
		if err := m.atRest(); err != nil {
			t.Error(err)
		}
	}
}

// TestMissingBuildDir: a build-dir that the revision does not have rejects the push, and says
// how to correct it.
func TestMissingBuildDir(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	m.must(m.server.Update(t.Context(), "shop", deploy.Op{Name: "builder:set"}, event.Log{}, func(st *app.State) error {
		st.Build = map[string]string{app.PropBuildDir: "nowhere"}
		return nil
	}))
	err := m.push(h.one, h.two)
	if err == nil || !strings.Contains(err.Error(), "dokku builder:set shop build-dir DIR") {
		t.Errorf("%v", err)
	}
}
