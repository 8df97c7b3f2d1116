package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/notify"
	"dokku/agent/plan"
	"dokku/agent/text"
)

// Tell records an event, and puts it into the queues of the hooks that want it. It fills in
// the host, the time, the person and, of the app, the current release and the URL. It
// neither waits nor fails: an event is no reason to delay or to fail an operation.
func (e *Env) Tell(ev journal.Event, log event.Log) {
	if err := e.tell(ev); err != nil {
		log.WithApp(ev.App).Note("cannot record the event %s: %s", ev.Event, err)
	}
}

func (e *Env) tell(ev journal.Event) error {
	set, err := e.Store.Settings()
	if err != nil {
		return err
	}
	ev.Host, ev.By = app.HostName(), cmp.Or(ev.By, e.By)
	if ev.Time.IsZero() {
		ev.Time = time.Now().UTC()
	}
	silent, hooks, own := set.NoEvents, set.Hooks, []app.Hook(nil)
	if ev.App != "" {
		a, err := e.Store.Load(ev.App)
		var none *app.NoAppError
		switch {
		case err == nil:
			silent, own = silent || a.State.NoEvents, a.State.Hooks
			e.describe(&ev, app.View{App: a, Settings: set})
		case !errors.As(err, &none):
			return err
		}
	}
	if !silent {
		err = e.Store.Journal().Append(ev)
	}
	return errors.Join(err, e.enqueue(ev, hooks, ""), e.enqueue(ev, own, ev.App))
}

// describe fills in what an event does not say about its app.
func (e *Env) describe(ev *journal.Event, v app.View) {
	if r := v.Current; r != nil && ev.Revision == "" {
		ev.Release, ev.Revision, ev.Subject = r.Number, r.Revision, r.Subject
	}
	if notify.Topic(*ev) == "" || v.Current == nil {
		return // the URLs need a look at the other apps
	}
	if urls := e.URLsOf(v); len(urls) > 0 {
		ev.URL = urls[0]
	}
}

// enqueue puts an event into the queues of those hooks of an app, or of the server, that
// want it.
func (e *Env) enqueue(ev journal.Event, hooks []app.Hook, owner string) error {
	topic := notify.Topic(ev)
	var failed error
	for _, h := range hooks {
		if topic == "" || !slices.Contains(h.On, topic) {
			continue
		}
		dropped, err := notify.Queue{Dir: e.Store.Notifications()}.Add(h, owner, ev)
		if dropped > 0 {
			err = errors.Join(err, fmt.Errorf("%s to %s were given up, since it has not taken any for long",
				text.Plural(dropped, "notification"), h.Shown()))
		}
		failed = errors.Join(failed, err)
	}
	return failed
}

// tellDeploy records what became of a deploy. err is why it failed.
func (x *Session) tellDeploy(d *app.Deploy, err error) {
	ev := journal.Event{Event: journal.Deploy, App: x.Name, Release: d.Release, Revision: d.Revision, Subject: x.subject, By: d.By, Deploy: d.Number}
	switch d.State {
	case app.DeployDone:
		if r := x.Current; r != nil && r.Number == d.Release {
			ev.Subject = r.Subject
		}
		if err != nil { // accepted, and the agent goes on
			ev.Error = firstLine(err)
		}
	case app.DeployCancelled:
		ev.Event, ev.Release, ev.Error = journal.Reject, 0, "it was cancelled"
	default:
		ev.Event, ev.Release, ev.Error = journal.Reject, 0, firstLine(cause(err))
	}
	if d.Cause != "push" {
		ev.Text = d.Cause
	}
	x.Env.Tell(ev, x.Log)
}

// firstLine is an error without the hints below it.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(line, ":")
}

// Logged reports whether a deploy of the session has a log: its end is recorded with that.
func (x *Session) Logged() bool { return x.deployLog != 0 }

// Refused records that a push was refused before it had a log.
func (e *Env) Refused(p Push, err error, log event.Log) {
	if p.Options.Plan {
		return // it wanted no deploy
	}
	if n := p.Origin.deploy(); n != 0 {
		e.EndWaiting(p.App, n, err, log)
		return
	}
	ev := journal.Event{Event: journal.Reject, App: p.App, Error: firstLine(err)}
	if errors.Is(err, context.Canceled) {
		ev.Error = "it was cancelled"
	}
	for _, r := range p.Refs {
		if r.New != ZeroID {
			ev.Revision = r.New
		}
	}
	e.Tell(ev, log)
}

// acts are what the agent does in a session by itself, for one event of each kind.
type acts struct {
	mu                       sync.Mutex
	started, retired, pruned []string
	route                    bool
}

// act notes a step of the agent's that has succeeded.
func (x *Session) act(s plan.Step) {
	if !x.ByAgent {
		return
	}
	x.acts.mu.Lock()
	defer x.acts.mu.Unlock()
	switch {
	case s.Action == plan.ActStart && x.Accepted == nil:
		x.acts.started = append(x.acts.started, s.Process.String()+" ("+s.Cause+")")
	case (s.Action == plan.ActRetire || s.Action == plan.ActStop) && s.Running:
		x.acts.retired = append(x.acts.retired, s.Name)
	case removesImage(s):
		x.acts.pruned = append(x.acts.pruned, s.ID)
	case s.Action == plan.ActPublish && x.Accepted == nil:
		x.acts.route = true
	}
}

// TellActs records what the agent did in this session.
func (x *Session) TellActs() {
	x.acts.mu.Lock()
	defer x.acts.mu.Unlock()
	tell := func(kind journal.Kind, text string) {
		x.Env.Tell(journal.Event{Event: kind, App: x.Name, Text: text}, x.Log)
	}
	if list := x.acts.started; len(list) > 0 {
		slices.Sort(list)
		tell(journal.Mend, "started "+strings.Join(list, ", "))
	}
	if x.acts.route {
		tell(journal.Route, "published the route")
	}
	if list := x.acts.retired; len(list) > 0 {
		tell(journal.Retire, Stopped(list))
	}
	if list := x.acts.pruned; len(list) > 0 {
		tell(journal.Prune, "removed "+text.Plural(len(list), "image")+" that no kept release runs")
	}
	x.acts.started, x.acts.retired, x.acts.pruned, x.acts.route = nil, nil, nil, false
}

// Stopped is the text of an event about containers that were stopped.
func Stopped(names []string) string {
	slices.Sort(names)
	return "stopped " + strings.Join(names, ", ")
}
