package machine

import (
	"context"
	"errors"
	"strings"
	"testing"

	"dokku/build"
)

// builtBy makes the app's builds those of a builder that finds the given process types.
func (f *fresh) builtBy(builder, procfile string) {
	f.m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
		choice := build.Choice{Builder: builder}
		if err := r.Chosen(choice); err != nil {
			return build.Result{}, err
		}
		result, err := f.m.build(ctx, r)
		result.Choice = choice
		if procfile != "" {
			result.Procfile = []byte(procfile)
		}
		return result, err
	}
}

// TestFoundProcesses: without a Procfile, the process types that a buildpack finds are the
// app's, also for its DOKKU_SCALE.
func TestFoundProcesses(t *testing.T) {
	f := newFresh(t, true)
	f.builtBy("herokuish", "web: serve found\nworker: work\nclock: tick\n")
	f.pushed(map[string]string{"DOKKU_SCALE": "web=1\nworker=2\n"})
	if got := f.commands(); got != "/start web, /start worker" {
		t.Errorf("started are %s", got)
	}
	if st := f.app().State; st.Provisional {
		t.Errorf("the state is %+v", st)
	}
	out, err := f.push(map[string]string{"DOKKU_SCALE": "web=1\nworkers=2\n"})
	if err == nil || !strings.Contains(err.Error(), `DOKKU_SCALE:2: "workers=2": the Procfile has no workers`) {
		t.Errorf("%v\n%s", err, out)
	}
	f.builtBy("dockerfile", "")
	f.pushed(map[string]string{"DOKKU_SCALE": "web=1\n", "Procfile": "web: serve it\nworker: work\nrelease: migrate all\n"})
	if got := f.commands(); got != "migrate all, serve it" {
		t.Errorf("started are %s", got)
	}
	f.builtBy("herokuish", "web: another\n")
	f.pushed(nil)
	if got := f.commands(); got != "/exec migrate all, /start web" {
		t.Errorf("started are %s", got)
	}
}

// TestFoundNoProcesses: counts of types that nobody has are refused, before the build where
// the builder finds none, and then leave no app.
func TestFoundNoProcesses(t *testing.T) {
	const refused = `DOKKU_SCALE:1: "worker=2": there is no Procfile, and only web runs without one`
	for builder, kept := range map[string]bool{"dockerfile": false, "herokuish": true} {
		f := newFresh(t, true)
		built := false
		f.builtBy(builder, "")
		works := f.m.server.Env.Build
		f.m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
			result, err := works(ctx, r)
			built = built || err == nil
			return result, err
		}
		_, err := f.first(map[string]string{"DOKKU_SCALE": "worker=2\n"})
		if err == nil || !strings.Contains(err.Error(), refused) {
			t.Errorf("%s: %v", builder, err)
		}
		if built != kept || !f.gone() {
			t.Errorf("%s: built %t, the app is gone: %t", builder, built, f.gone())
		}
	}
	f := newFresh(t, true)
	f.builtBy("herokuish", "")
	const none = "cannot start fresh: it has no Procfile, and its buildpack names no process type; add a Procfile with the line web: COMMAND and push again"
	if _, err := f.first(map[string]string{"main.sh": "x"}); err == nil || !strings.Contains(err.Error(), none) {
		t.Errorf("without any process: %v", err)
	}
	f = newFresh(t, true)
	f.m.server.Env.Build = func(_ context.Context, r build.Request) (build.Result, error) {
		return build.Result{}, errors.Join(r.Chosen(build.Choice{Builder: "herokuish"}), errors.New("Unable to select a buildpack"))
	}
	if _, err := f.first(map[string]string{"DOKKU_SCALE": "worker=2\n"}); err == nil || !strings.Contains(err.Error(), keptText) {
		t.Errorf("a failed build: %v", err)
	}
	f.bareApp()
}
