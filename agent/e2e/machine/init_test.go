package machine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/oneoff"
)

// setInit is ps:set APP init.
func (f *fresh) setInit(value string) {
	f.m.t.Helper()
	err := f.m.server.Update(context.Background(), "fresh", deploy.Op{Name: "ps:set"}, event.Log{}, func(st *app.State) error {
		st.PS = map[string]string{"init": value}
		return nil
	})
	if err != nil {
		f.m.t.Fatal(err)
	}
}

// inits says of each type of the containers that started last whether it has an init.
func (f *fresh) inits() string {
	var list []string
	for _, s := range f.runs {
		list = append(list, fmt.Sprintf("%s=%t", s.Type, !s.NoInit))
	}
	f.runs = nil
	slices.Sort(list)
	return strings.Join(slices.Compact(list), " ")
}

// TestNoInit: ps:set init holds for all containers of the next release, and for no other.
func TestNoInit(t *testing.T) {
	f := newFresh(t, false)
	expect := func(what string, err error, want string) {
		t.Helper()
		if got := f.inits(); err != nil || got != want {
			t.Errorf("%s starts %q, want %q (%v)", what, got, want, err)
		}
	}
	once := func() error {
		spec, err := oneoff.SpecOf(t.Context(), f.m.server, "fresh", oneoff.OneOff{Words: []string{"sh"}})
		f.runs = append(f.runs, spec)
		return err
	}
	ctx, none := context.Background(), event.Log{}
	files := with(`{"scripts": {"dokku": {"predeploy": "prepare", "postdeploy": "tell"}}}`)
	f.pushed(files)
	expect("a push", nil, "postdeploy=true predeploy=true release=true web=true")

	f.setInit("false")
	expect("ps:scale", f.m.server.Scale(ctx, "fresh", map[string]int{"web": 2}, false, none), "web=true")
	expect("run", once(), "run=true")
	expect("ps:restart", f.m.server.Restart(ctx, "fresh", none), "web=false")
	expect("ps:scale", f.m.server.Scale(ctx, "fresh", map[string]int{"web": 3}, false, none), "web=false")
	expect("run", once(), "run=false")
	f.pushed(nil)
	expect("a push", nil, "postdeploy=false predeploy=false release=false web=false")
	expect("ps:rebuild", f.m.server.Rebuild(ctx, "fresh", none), "postdeploy=false predeploy=false release=false web=false")
	f.setInit("true")
	f.pushed(nil)
	expect("a push", nil, "postdeploy=true predeploy=true release=true web=true")
}

// TestInitIsSuggested: an image that must be process 1 says so in its log, and its push
// names the setting.
func TestInitIsSuggested(t *testing.T) {
	for _, line := range []string{
		"s6-overlay-suexec: fatal: can only run as pid 1",
		"Trying to run as user instance, but the system has not been booted with systemd.",
	} {
		f := newFresh(t, false)
		f.m.engine.Behave(func(s engine.Spec) memory.Behaviour {
			return memory.Behaviour{Exits: !s.NoInit, Code: 100, Output: []string{line}}
		})
		files := map[string]string{"Dockerfile": "FROM scratch\n", "Procfile": "web: serve\n"}
		out, err := f.push(files)
		if err == nil || !strings.Contains(out, "dokku ps:set fresh init false") {
			t.Errorf("%v\n%s", err, out)
		}
		f.setInit("false")
		if out, err := f.push(files); err != nil || strings.Contains(out, "ps:set") {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
