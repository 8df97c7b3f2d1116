package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/command"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/move"
)

// oldHost is the address of a Dokku server. Nothing is asked of it: it has been read.
type oldHost struct{}

func (oldHost) Run(context.Context, io.Writer, ...string) error {
	return errors.New("the old server was asked")
}
func (oldHost) String() string { return "root@old.test" }

// oldApp is what Dokku has of an app: the second version, and settings.
func oldApp(h history, name string) *move.App {
	return &move.App{Name: name, Dir: "/home/dokku/" + name, Branch: "main", Tip: h.two,
		Config: map[string]string{"A": "b"}, Scale: map[string]string{"web": "2", "worker": "1"},
		Reports: map[string]move.Report{
			"domains": {"app-vhosts": "www.shop.test"}, "git": {"deploy-branch": "main"}, "ports": {"map-detected": "http:3000:5000"},
			"nginx": {"client-max-body-size": "5m", "computed-client-max-body-size": "5m"}, "ps": {"running": "true", "deployed": "true"},
		}}
}

// mover imports an app into the machine.
func (m *machine) mover() *move.Mover {
	return &move.Mover{From: &move.Server{Host: oldHost{}}, Here: m.server, Importer: m.importer(), Log: event.Log{},
		Run: func(ctx context.Context, words []string, stdin string) (string, error) {
			var out, errs bytes.Buffer
			if code := command.Execute(ctx, cli.Env{Root: m.root, Server: m.server, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs, Quiet: true}, words); code != 0 {
				return "", fmt.Errorf("%w: %s", errCommand, errs.String())
			}
			return out.String(), nil
		}}
}

var errCommand = errors.New("the command failed")

func (m *machine) importApp(ctx context.Context, h history, name string) error {
	return m.mover().App(ctx, oldApp(h, name), h.tar)
}

// imported returns an error unless the app is here what it is there.
func (m *machine) imported(h history) error {
	a, err := m.server.Load("shop")
	if err != nil {
		return err
	}
	st := a.State
	if a.Current == nil || a.Current.Revision != h.two || a.Current.Config["A"] != "b" || a.Current.Port != 5000 ||
		strings.Join(st.Domains, " ") != "www.shop.test" || st.Nginx["client-max-body-size"] != "5m" || st.Scale["web"] != 2 || st.Scale["worker"] != 1 ||
		len(st.Ports) != 1 || st.Ports[0].String() != "http:3000:5000" || st.DeployBranch != "main" || !st.FirstScriptRan {
		return fmt.Errorf("it is %+v, and the release %+v", st, a.Current)
	}
	return nil
}

// TestImportAgain: a second import changes nothing, and one that was killed before any of its
// changes ends what the first began.
func TestImportAgain(t *testing.T) {
	h := newHistory(t)
	ctx := t.Context()
	empty := func() *machine {
		m := newMachine(t, h)
		check(t, m.server.Destroy(ctx, "shop", event.Log{}))
		m.server.Env.Store.SweepRoot()
		m.count, m.names = 0, nil
		return m
	}
	whole := empty()
	check(t, whole.importApp(ctx, h, "shop"))
	whole.settle()
	check(t, errors.Join(whole.imported(h), whole.atRest()))
	changes, ids := whole.count, whole.ids()
	check(t, whole.importApp(ctx, h, "shop"))
	if fmt.Sprint(whole.ids()) != fmt.Sprint(ids) {
		t.Error("a second import replaced the processes")
	}
	if changes < 45 {
		t.Errorf("%d changes were counted: %v", changes, whole.names)
	}
	for k := 1; k <= changes; k++ {
		m := empty()
		m.kill = k
		m.importApp(ctx, h, "shop")
		m.turnOn()
		m.server.Env.Store.SweepRoot() // the agent's first act
		if apps, err := m.server.Env.Store.Apps(); err != nil || len(apps) > 0 {
			m.settle()
		}
		if err := m.importApp(ctx, h, "shop"); err != nil {
			t.Fatalf("killed before change %d, the second import fails: %v\n%v", k, err, m.names)
		}
		m.settle()
		if err := errors.Join(m.imported(h), m.atRest()); err != nil {
			t.Fatalf("killed before change %d: %v\n%v", k, err, m.names)
		}
	}
	t.Logf("killed before each of %d changes", changes)
}

// TestImportHolds: an app is not deployed without its config, nor on a folder that is empty
// here and not there. Once that is done, the next import deploys it.
func TestImportHolds(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	check(t, m.server.Destroy(ctx, "shop", event.Log{}))
	m.server.Env.Store.SweepRoot()
	storage := t.TempDir()
	check(t, m.server.Env.Store.UpdateSettings(ctx, func(s *app.Settings) error { s.StorageRoot = storage; return nil }))
	data := filepath.Join(storage, "shop")
	check(t, os.Mkdir(data, 0o700))
	old := oldApp(h, "shop")
	deployed := func(want bool) {
		t.Helper()
		a, err := m.server.Load("shop")
		check(t, err)
		if a.Deployed() != want {
			t.Errorf("deployed is %v, want %v: %+v", a.Deployed(), want, a.State)
		}
	}
	mover := m.mover()
	run := mover.Run
	mover.Run = func(ctx context.Context, words []string, stdin string) (string, error) {
		if words[0] == "config:set" {
			return "", errCommand
		}
		return run(ctx, words, stdin)
	}
	if err := mover.App(ctx, old, h.tar); err == nil {
		t.Error("an import without the config is reported done")
	}
	deployed(false)
	old.Mounts = []move.Mount{{Source: data, Target: "/data", Filled: true}}
	check(t, m.mover().App(ctx, old, h.tar))
	deployed(false)
	check(t, os.WriteFile(filepath.Join(data, "file"), nil, 0o600))
	check(t, m.mover().App(ctx, old, h.tar))
	deployed(true)
	check(t, m.imported(h))
}
