package machine

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/deploy"
	"dokku/agent/doctor"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/oneoff"
	"dokku/agent/vault"
)

// setState changes the app's settings, as a file of another version has them.
func (f *fresh) setState(change func(*app.State)) {
	f.m.t.Helper()
	f.m.must(f.m.server.Update(context.Background(), "fresh", deploy.Op{Name: "test"}, event.Log{}, func(st *app.State) error { change(st); return nil }))
}

// rights says of each type of the containers that started last whether it is restricted, and how
// many processes it may have.
func (f *fresh) rights() string {
	var list []string
	for _, s := range f.runs {
		text := fmt.Sprintf("%s=%t,%d", s.Type, s.Restricted, s.Limits.Pids)
		if (s.Limits.Memory > 0 && s.Limits.MemorySwap == s.Limits.Memory) != s.Restricted {
			text += fmt.Sprintf(",%+v", s.Limits)
		}
		list = append(list, text)
	}
	f.runs = nil
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// TestIsolation: every container that runs a pusher's code is isolated: processes, the commands of
// a deploy, one-off commands, cron tasks. An app of an older version keeps what it has, through
// pushes, restarts, a rename and a clone, until isolation:enable.
func TestIsolation(t *testing.T) {
	f := newFresh(t, false)
	expect := func(what string, err error, want string) {
		t.Helper()
		if got := f.rights(); err != nil || got != want {
			t.Errorf("%s starts %q, want %q (%v)", what, got, want, err)
		}
	}
	once := func(o oneoff.OneOff) error {
		o.Words = []string{"sh"}
		spec, err := oneoff.SpecOf(t.Context(), f.m.server, "fresh", o)
		f.runs = append(f.runs, spec)
		return err
	}
	cron := func() error {
		return once(oneoff.OneOff{Cron: &oneoff.Cron{ID: "x", Release: f.m.load("fresh").State.Current}})
	}
	ctx, none := context.Background(), event.Log{}
	f.pushed(with(`{"scripts": {"dokku": {"predeploy": "prepare", "postdeploy": "tell"}}}`))
	expect("a push to a new app", nil, "postdeploy=true,4096 predeploy=true,4096 release=true,4096 web=true,4096")
	expect("run", once(oneoff.OneOff{}), "run=true,4096")
	expect("a cron task", cron(), "cron=true,4096")
	f.setState(func(st *app.State) { st.IsolationSet = map[string]string{app.PropPidsLimit: "64"} })
	expect("ps:scale", f.m.server.Scale(ctx, "fresh", map[string]int{"web": 2}, false, none), "web=true,4096")
	expect("ps:restart", f.m.server.Restart(ctx, "fresh", none), "web=true,64")

	f.setState(func(st *app.State) { st.Isolation, st.IsolationSet = app.IsolationOlder, nil })
	expect("ps:restart of an older app", f.m.server.Restart(ctx, "fresh", none), "web=false,0")
	f.pushed(nil)
	expect("a push to an older app", nil, "postdeploy=false,0 predeploy=false,0 release=false,0 web=false,0")
	expect("run of an older app", once(oneoff.OneOff{}), "run=false,0")
	expect("a cron task of an older app", cron(), "cron=false,0")

	expect("isolation:enable", f.m.server.SetIsolation(ctx, "fresh", true, none), "web=true,4096")
	expect("isolation:enable again", f.m.server.SetIsolation(ctx, "fresh", true, none), "")
	expect("isolation:disable", f.m.server.SetIsolation(ctx, "fresh", false, none), "web=false,0")
	f.pushed(nil)
	expect("a push with isolation off", nil, "postdeploy=false,0 predeploy=false,0 release=false,0 web=false,0")
	f.m.must(f.m.server.Stop(ctx, "fresh", none))
	expect("isolation:enable of a stopped app", f.m.server.SetIsolation(ctx, "fresh", true, none), "")
	expect("ps:start", f.m.server.Start(ctx, "fresh", none), "web=true,4096")
	if c := fmt.Sprint(f.m.load("fresh").Current.Changes); c != "[isolation on]" {
		t.Errorf("the release's changes are %s", c)
	}
}

// TestIsolationRefused: an app whose containers fail without its rights keeps the ones that it has,
// and is told what to do.
func TestIsolationRefused(t *testing.T) {
	for line, want := range map[string]string{
		`sudo: The "no new privileges" flag is set, which prevents sudo from running as root.`: "isolation:disable fresh",
		"sh: can't fork: Resource temporarily unavailable":                                     "dokku isolation:set fresh pids-limit N",
	} {
		f := newFresh(t, false)
		f.setState(func(st *app.State) { st.Isolation = app.IsolationOlder })
		f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
			return memory.Behaviour{Exits: s.Restricted, Code: 1, Output: []string{line}}
		})
		f.pushed(map[string]string{"Dockerfile": "FROM scratch\n", "Procfile": "web: serve\n"})
		before := f.m.load("fresh")
		var out bytes.Buffer
		if err := f.m.server.SetIsolation(t.Context(), "fresh", true, event.New(zerolog.SyncWriter(&out))); err == nil {
			t.Error("isolation:enable succeeds without a healthy process")
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("it says nothing of %s:\n%s", want, &out)
		}
		after := f.m.load("fresh")
		if after.State.Isolation != app.IsolationOlder || after.Current.Number != before.Current.Number || after.Current.Isolation != nil {
			t.Errorf("the app has isolation %d, and v%d serves", after.State.Isolation, after.Current.Number)
		}
		if err := f.m.serving(); err != nil {
			t.Error(err)
		}
	}
}

// TestUpdateToIsolation: an update of the server changes nothing for the apps that it has, whatever
// they need: sudo in a container, a database of the host, a folder inside another app's. All go on
// through restarts and pushes, and doctor names each. A new app may have none of it.
func TestUpdateToIsolation(t *testing.T) {
	f := newFresh(t, false)
	ctx, none := context.Background(), event.Log{}
	data := f.m.withData()
	check(t, os.Mkdir(filepath.Join(data, "inner"), 0o755))
	inner := app.Mount{Source: filepath.Join(data, "inner"), Target: "/inner"}
	f.setState(func(st *app.State) { st.Isolation, st.Mounts = app.IsolationOlder, []app.Mount{inner} })
	f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		f.runs = append(f.runs, s)
		return memory.Behaviour{Exits: s.Restricted || s.Kind == engine.KindRelease} // it needs sudo
	})
	f.pushed(freshFiles)
	f.m.must(f.m.server.Restart(ctx, "fresh", none))
	if last := f.runs[len(f.runs)-1]; last.Restricted || !slices.Contains(last.Mounts, engine.Mount{Source: inner.Source, Target: "/inner"}) {
		t.Errorf("after the update its container has %+v", last)
	}
	tell := func() string {
		var list []string
		for _, found := range (doctor.Doctor{Server: f.m.server}).Examine(ctx, "") {
			if found.Check == "isolation" || found.Check == "mounts" {
				list = append(list, fmt.Sprintf("%s %s: %s", found.Title(), found.Status, found.Text))
			}
		}
		return strings.Join(list, "\n")
	}
	expect := func(want ...string) {
		t.Helper()
		text := tell()
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("doctor says nothing of %q:\n%s", part, text)
			}
		}
	}
	expect("isolation ok: the containers of 1 app from before isolation have the rights of Docker's defaults and no limits: fresh; to isolate one: dokku isolation:enable APP",
		"fresh isolation ok: none, the app is older", "shop isolation ok: enabled", "fresh mounts ok: 1 mount inside of "+data)
	f.m.next(func(st *app.State) { st.Mounts = []app.Mount{{Source: data, Target: "/data"}} })
	expect("fresh mounts warning: shop mounts " + data + " and can lead the mount " + inner.Source + " to any folder of the server")

	// The switch is refused as a whole, with the mount's name, and a new app cannot have it.
	err := f.m.server.SetIsolation(ctx, "fresh", true, none)
	if err == nil || !strings.Contains(err.Error(), "Storage path "+inner.Source+" lies inside "+data) {
		t.Errorf("isolation:enable with a nested mount: %v", err)
	}
	f.m.next(func(st *app.State) { st.Mounts = []app.Mount{inner} })
	if err := f.m.server.Restart(ctx, "shop", none); err == nil || !strings.Contains(err.Error(), "lies inside") {
		t.Errorf("a new app mounts a folder inside of another one: %v", err)
	}
	check(t, f.m.serving())

	// It stays what it is under another name, and so does its clone.
	f.m.must(f.m.server.Clone(ctx, "fresh", "copy", none))
	f.m.must(f.m.server.Rename(ctx, "fresh", "other", false, none))
	for _, name := range []string{"copy", "other"} {
		if got := f.m.load(name).State.Isolation; got != app.IsolationOlder {
			t.Errorf("%s has isolation %d", name, got)
		}
	}
	check(t, f.m.server.CreateMoved(ctx, "moved", app.IsolationOlder))
	if got := f.m.load("moved").State.Isolation; got != app.IsolationOlder {
		t.Errorf("an app of another server gets isolation %d", got)
	}
}

// TestBackupOpensNoLink: whoever has a key and a container with a folder backs a mount inside of it
// up, after the container has replaced it by a link to the root of the host, and reads all secrets
// of the server from his bucket; a restore writes them.
func TestBackupOpensNoLink(t *testing.T) {
	m := newMachine(t, newHistory(t))
	data := m.withData()
	inner, out := filepath.Join(data, "inner"), t.TempDir()
	check(t, os.Mkdir(inner, 0o755))
	mount := app.Mount{Source: inner, Target: "/inner"}
	m.next(func(st *app.State) { st.Isolation, st.Mounts = app.IsolationOlder, []app.Mount{mount} })
	check(t, os.Remove(inner))
	check(t, os.Symlink(out, inner))
	m.must(m.server.Stop(t.Context(), "shop", event.Log{}))
	want := "leads to " + out
	if err := backup.MountJob(m.server, "shop", mount, vault.Plan{}).Source.Dump(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a backup: %v, want %q", err, want)
	}
	if _, err := backup.RestoreMount(t.Context(), m.server, "shop", mount, strings.NewReader(""), true, event.Log{}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a restore: %v, want %q", err, want)
	}
}
