package machine

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/sources"
)

// detach is the client's part of a push with -o detach: it returns what the process that
// goes on does.
func (m *machine) detach(ctx context.Context, old, new string, o deploy.PushOptions, log event.Log) (goOn func() error, err error) {
	o.Detach = true
	made := m.packs[new]
	objects, err := m.receive("shop", made)
	if err != nil {
		return nil, err
	}
	defer m.dropQuarantine(objects)
	p := deploy.Push{App: "shop", Refs: []deploy.Ref{{Old: old, New: new, Name: "refs/heads/main"}}, Objects: objects, Options: o}
	d, err := m.server.Detach(ctx, p, log)
	if err != nil {
		return nil, err
	}
	kept := sources.Detached{App: "shop", Deploy: d.Number, Refs: p.Refs, Options: o.Later()}
	dir, lock, err := kept.Keep(m.server.Env.Store, objects)
	if err != nil {
		return nil, err
	}
	var sent error // what the hooks print last
	i := &sources.Importer{Server: m.server, Send: func(ctx context.Context, p sources.Push) error {
		made, err := packOf(p.Repo)
		if err != nil {
			return err
		}
		o, err := deploy.ParsePushOptions(p.Options)
		if err != nil {
			return err
		}
		sent = m.send(ctx, deploy.Push{App: p.App, Refs: p.Refs, Origin: &p.Origin, Options: o}, made, event.Log{})
		if sent != nil {
			return sources.ErrTold
		}
		return nil
	}}
	return func() error {
		defer lock.Close()
		err := i.PushDetached(ctx, dir, event.Log{}, func(error) {})
		return cmp.Or(sent, err)
	}, nil
}

func (m *machine) pushDetached(ctx context.Context, old, new string, o deploy.PushOptions) error {
	goOn, err := m.detach(ctx, old, new, o, event.Log{})
	if err != nil {
		return err
	}
	return goOn()
}

// pushCancelled pushes a version whose web processes do not answer until somebody cancels
// the deploy. It is done when that has cleaned up.
func (m *machine) pushCancelled(ctx context.Context, h history) error {
	m.server.Env.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		err := m.powered()
		if err == nil {
			err = m.server.Env.Store.AskCancel("shop", m.server.Env.Store.RunningDeploy("shop").Number, byBea)
		}
		if err != nil {
			return nil, err
		}
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	err := m.pushTo(ctx, "shop", h.one, h.two, event.Log{})
	m.server.Env.Dial = dialNothing
	var by *deploy.CancelledError
	if errors.As(err, &by) {
		return nil
	}
	return cmp.Or(err, errors.New("it is not cancelled"))
}

// TestDetachedPush: a detached push that waits for another deploy has a number, a record
// and a log from the moment at which its client is told, takes its turn, and can be
// cancelled before.
func TestDetachedPush(t *testing.T) {
	h := newHistory(t)
	bubble := func(name string, f func(t *testing.T, m *machine)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMachine(t, h)
				m.server.Env.By = "ann"
				f(t, m)
				m.visit = nil
				m.settle()
				m.must(m.atRest())
			})
		})
	}
	ctx := context.Background()
	// behind detaches a push while a rebuild is under way, and goes on with it until the
	// rebuild has ended.
	behind := func(m *machine, o deploy.PushOptions, meanwhile func()) error {
		wait := m.pause("Start", func() error {
			goOn, err := m.detach(ctx, h.one, h.two, o, event.Log{})
			if err != nil {
				return err
			}
			if d := m.lastDeploy(); d.Number != 3 || d.State != app.DeployWaiting || d.Message != o.Message || d.Ended != (time.Time{}) {
				m.t.Errorf("the record of what waits: %+v", d)
			}
			if d := m.server.Env.Store.RunningDeploy("shop"); d == nil || d.Number != 2 {
				m.t.Errorf("under way is %v", d)
			}
			if meanwhile != nil {
				go meanwhile()
			}
			return goOn()
		})
		m.must(m.server.Rebuild(ctx, "shop", event.Log{}))
		return wait()
	}

	bubble("takes its turn", func(t *testing.T, m *machine) {
		m.must(behind(m, deploy.PushOptions{Message: "Later"}, nil))
		d := m.lastDeploy()
		if d.State != app.DeployDone || d.Release != 3 || d.Number != 3 || d.By != "ann" || d.Message != "Later" || d.Cause != "push" {
			t.Errorf("the record: %+v", d)
		}
		if len(d.Phases) == 0 || d.Phases[0].Name != "wait" || d.Phases[0].Milliseconds < 9000 {
			t.Errorf("its phases: %+v", d.Phases)
		}
		log := m.deployLog(3)
		for _, want := range []string{"ann's ps:rebuild of " + h.one[:7] + " (deploy 2) is under way for", "v3"} {
			if strings.Count(log, want) == 0 {
				t.Errorf("its log lacks %q:\n%s", want, log)
			}
		}
		if r := m.current(); r.Revision != h.two || r.Message != "Later" || r.Source != nil || r.Deploy != 3 {
			t.Errorf("the release: %+v", r)
		}
	})
	bubble("is cancelled while it waits", func(t *testing.T, m *machine) {
		var cancelled *app.Deploy
		ended := make(chan error, 1)
		err := behind(m, deploy.PushOptions{}, func() {
			time.Sleep(time.Second)
			var err error
			cancelled, err = m.server.Env.Cancel(ctx, "shop", 3, byBea, event.Log{})
			ended <- err
		})
		wantError(t, err, "this push was cancelled by bea: dokku deploys:cancel")
		m.must(<-ended)
		if cancelled.State != app.DeployCancelled || cancelled.Number != 3 || cancelled.Ended.IsZero() {
			t.Errorf("the record: %+v", cancelled)
		}
		if d, err := m.server.Env.Deploy("shop", 2); err != nil || d.State != app.DeployDone {
			t.Errorf("what was under way: %+v, %v", d, err)
		}
		if log := m.deployLog(3); strings.Count(log, "this push was cancelled by bea") != 1 {
			t.Errorf("its log:\n%s", log)
		}
	})
	bubble("takes the place of the other", func(t *testing.T, m *machine) {
		wait := m.pause("Start", func() error {
			return m.pushDetached(ctx, h.one, h.two, deploy.PushOptions{Cancel: true})
		})
		if err := m.server.Rebuild(ctx, "shop", event.Log{}); err == nil || !strings.HasPrefix(err.Error(), "this ps:rebuild was cancelled by ann: git push -o cancel") {
			t.Errorf("the other: %v", err)
		}
		m.must(wait())
		if r := m.current(); r.Revision != h.two {
			t.Errorf("v%d serves %s", r.Number, r.Revision)
		}
	})
	bubble("does not wait", func(t *testing.T, m *machine) {
		wait := m.pause("Start", func() error {
			return m.pushDetached(ctx, h.one, h.two, deploy.PushOptions{NoWait: true})
		})
		m.must(m.server.Rebuild(ctx, "shop", event.Log{}))
		if err := wait(); err == nil || !strings.HasPrefix(err.Error(), "shop is busy: ann's ps:rebuild of ") {
			t.Errorf("it ends with %v", err)
		}
		if n := len(m.server.Env.Store.DeployLogs("shop")); n != 2 {
			t.Errorf("%d deploys have a log", n)
		}
	})
	bubble("finds that the branch has moved", func(t *testing.T, m *machine) {
		goOn, err := m.detach(ctx, h.one, h.two, deploy.PushOptions{}, event.Log{})
		m.must(err)
		m.must(m.push(h.one, h.two))
		wantError(t, goOn(), "main is at "+h.two[:7]+" already: another push of it was accepted while this one waited")
		if d, err := m.server.Env.Deploy("shop", 2); err != nil || d.State != app.DeployRejected || d.Release != 0 || !strings.HasPrefix(d.Error, "main is at") {
			t.Errorf("the record: %+v, %v", d, err)
		}
	})
	three := git(t, h.dir, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit-tree", "-p", h.two, "-m", "x", h.two+"^{tree}")
	third := newPack(t, h, three, h.one)
	bubble("follows another one", func(t *testing.T, m *machine) {
		m.packs = map[string]pack{three: third}
		first, err := m.detach(ctx, h.one, h.two, deploy.PushOptions{}, event.Log{})
		m.must(err)
		second, err := m.detach(ctx, h.one, three, deploy.PushOptions{}, event.Log{})
		m.must(err)
		m.must(first())
		m.must(second())
		for n := 2; n <= 3; n++ {
			if d, err := m.server.Env.Deploy("shop", n); err != nil || d.State != app.DeployDone || d.Release != n {
				t.Errorf("deploy %d: %+v, %v", n, d, err)
			}
		}
		if r := m.current(); r.Revision != three {
			t.Errorf("%s serves", r.Revision)
		}
	})
	bubble("is refused before its client goes", func(t *testing.T, m *machine) {
		for _, test := range []struct {
			p    deploy.Push
			want string
		}{
			{deploy.Push{Refs: []deploy.Ref{{Old: deploy.ZeroID, New: h.two, Name: "refs/heads/other"}}}, "cannot detach this push: it deploys nothing; push again without -o detach"},
			{deploy.Push{Refs: []deploy.Ref{{Old: h.two, New: h.two, Name: "refs/heads/main"}}}, "main moved while this push waited; fetch and push again"},
		} {
			objects, err := m.receive("shop", m.packs[h.two])
			m.must(err)
			test.p.App, test.p.Objects, test.p.Options.Detach = "shop", objects, true
			_, err = m.server.Detach(ctx, test.p, event.Log{})
			m.dropQuarantine(objects)
			wantError(t, err, test.want)
		}
		if n := len(m.server.Env.Store.DeployLogs("shop")); n != 1 {
			t.Errorf("%d deploys have a log", n)
		}
	})
	bubble("loses its process", func(t *testing.T, m *machine) {
		_, err := m.detach(ctx, h.one, h.two, deploy.PushOptions{}, event.Log{})
		m.must(err)
		d, err := m.server.Env.Store.Deploy("shop", 2)
		m.must(err)
		d.Owner.Boot = "before the last reboot"
		m.must(m.server.Env.Store.SaveDeploy("shop", d))
		if d := m.lastDeploy(); d.State != app.DeployInterrupted {
			t.Errorf("the record: %+v", d)
		}
		for range 2 { // the agent tells it once
			_, done, err := m.server.TryReconcile(ctx, "shop", true, event.Log{})
			m.must(err)
			if texts := m.eventTexts(t, journal.Reject); !done || len(texts) != 1 ||
				texts[0] != "shop reject "+h.two[:7]+": it was interrupted: its process was killed (deploy 2)" {
				t.Errorf("the events are %q", texts)
			}
		}
		left, _ := filepath.Glob(m.server.Env.Store.Own("detached-*"))
		for _, dir := range left { // its lock is held by this process
			m.must(os.RemoveAll(dir))
		}
		if len(left) != 1 {
			t.Errorf("%d folders were left", len(left))
		}
	})
}
