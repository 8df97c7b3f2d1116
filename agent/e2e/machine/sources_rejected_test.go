package machine

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/repo"
	"dokku/agent/sources"
	"dokku/build"
)

// TestRejectedSources: what was not pushed and is rejected leaves nothing, whatever the way
// in and the cause: no ref, release, container, name of an image or folder (I4, I8).
func TestRejectedSources(t *testing.T) {
	h := newHistory(t)
	ways := map[string]func(*machine) error{
		"git:from-image":   func(m *machine) error { return m.fromImage(context.Background(), "shop") },
		"git:load-image":   func(m *machine) error { return m.loadImage(context.Background(), "shop") },
		"git:from-archive": func(m *machine) error { return m.fromArchive(context.Background(), "shop") },
		"git:sync":         func(m *machine) error { return m.syncWith(context.Background(), h, "shop") },
	}
	causes := map[string]func(*machine){
		"the build fails": func(m *machine) {
			m.server.Env.Build = func(context.Context, build.Request) (build.Result, error) {
				return build.Result{}, errors.New("the build fails")
			}
		},
		"the image is gone": func(m *machine) {
			works := m.server.Env.Build
			m.server.Env.Build = func(ctx context.Context, r build.Request) (build.Result, error) {
				result, err := works(ctx, r)
				m.engine.LoseImage(result.ImageID)
				return result, err
			}
		},
		"web ends at once": func(m *machine) {
			m.engine.Behave(func(s engine.Spec) memory.Behaviour {
				return memory.Behaviour{Exits: s.Kind == engine.KindRelease || s.Release > 1, Code: s.Release - 1}
			})
		},
	}
	for way, do := range ways {
		for cause, breaks := range causes {
			t.Run(way+", "+cause, func(t *testing.T) {
				m := newMachine(t, h)
				before := m.everything()
				breaks(m)
				if err := do(m); err == nil {
					t.Fatal("it is accepted")
				}
				m.engine.Behave(behaviour)
				if after := m.everything(); !reflect.DeepEqual(after, before) {
					t.Errorf("after the rejection:\n%+v\nbefore:\n%+v", after, before)
				}
				if left := m.staging(); len(left) > 0 {
					t.Errorf("the folders %q are left", left)
				}
				m.server.Env.Build = m.build
				check(t, do(m))
				m.settle()
				check(t, m.atRest())
			})
		}
	}
}

// everything is what an app has: its ref, its files, and what the engine has of it.
func (m *machine) everything() any {
	m.t.Helper()
	tip, err := repo.Ref(m.server.Env.Store.Dir("shop"), "refs/heads/main")
	check(m.t, err)
	o, err := m.engine.Observe(context.Background(), "")
	check(m.t, err)
	return []any{tip, m.files(), o, m.proxy.Published()}
}

// TestRefusedSources: what is refused before anything is built leaves nothing.
func TestRefusedSources(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx, none := t.Context(), event.Log{}
	before := m.everything()
	m.engine.SetRegistry("registry.test/private:1", sourceImage, engine.RegistryAuth{Server: "registry.test", User: "u", Secret: "s"})
	for name, err := range map[string]error{
		"a private image":       m.importer().FromImage(ctx, "shop", sources.Image{Name: "registry.test/private:1"}, none),
		"no image of this name": m.importer().FromImage(ctx, "shop", sources.Image{Name: "registry.test/none:1"}, none),
		"no archive of images":  m.importer().LoadImage(ctx, "shop", sources.Image{Name: "registry.test/web:1"}, strings.NewReader("x"), none),
		"half an archive":       m.importer().FromArchive(ctx, "shop", sources.Archive{Type: "tar", Stdin: strings.NewReader("x")}, none),
		"no zip archive":        m.importer().FromArchive(ctx, "shop", sources.Archive{Type: "zip", Stdin: strings.NewReader("x")}, none),
		"no commit of the ref":  m.importer().Sync(ctx, "shop", sources.Sync{Remote: h.url, Ref: "none", Build: true}, none),
	} {
		if err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if after := m.everything(); !reflect.DeepEqual(after, before) {
		t.Errorf("after the refusals:\n%+v\nbefore:\n%+v", after, before)
	}
	if left := m.staging(); len(left) > 0 {
		t.Errorf("the folders %q are left", left)
	}
}
