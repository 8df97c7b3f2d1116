package journal

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"dokku/agent/event"
)

// Kind says what an event is about.
type Kind string

// The kinds.
const (
	Deploy  Kind = "deploy"  // a push, a rebuild or a rollback went live
	Reject  Kind = "reject"  // one was refused, failed or was cancelled
	Undo    Kind = "undo"    // the agent undid an interrupted push
	Command Kind = "command" // a person ran a command that may change something
	Exit    Kind = "exit"    // a process ended that should run
	Crash   Kind = "crash"   // a process ends again and again, or stays down
	Recover Kind = "recover" // it is well again
	Mend    Kind = "mend"    // the agent started what did not run
	Route   Kind = "route"   // the agent published a route
	Retire  Kind = "retire"  // the agent stopped processes of an earlier release
	Prune   Kind = "prune"   // something that nothing needs was removed
	Renew   Kind = "renew"   // a certificate was ordered, or could not be
	Cron    Kind = "cron"    // a cron task failed, or was missed
	Backup  Kind = "backup"  // a backup was made by its schedule, failed or could not be proven
	Fail    Kind = "fail"    // the agent could not do its work, and tries again
	Agent   Kind = "agent"   // the agent, or the engine, came up
	Notify  Kind = "notify"  // a notification was given up
	Test    Kind = "test"    // notify:test; never recorded
)

// Kinds are all kinds that are recorded, in the order of events:list.
var Kinds = []Kind{Deploy, Reject, Undo, Command, Exit, Crash, Recover, Mend, Route, Retire, Prune, Renew, Cron, Backup, Fail, Agent, Notify}

// Event is one line of the journal, and the body of a notification.
type Event struct {
	Event Kind      `json:"event"`
	Time  time.Time `json:"time"`
	Host  string    `json:"host"`
	App   string    `json:"app,omitempty"`
	// Release, Revision and Subject are those of the app's release that the event is about:
	// of the current one where it is about none. 0 and "": there is none.
	Release  int    `json:"release,omitempty"`
	Revision string `json:"revision,omitempty"`
	Subject  string `json:"subject,omitempty"`
	// By is the name of an ssh key, a user of the server, or "agent".
	By string `json:"by,omitempty"`
	// Deploy is the number of the deploy, for deploys:log; 0: none.
	Deploy int `json:"deploy,omitempty"`
	// Process is the process that the event is about: "web.1".
	Process string `json:"process,omitempty"`
	// Text says what happened, and Error why it failed, in one line.
	Text  string `json:"text,omitempty"`
	Error string `json:"error,omitempty"`
	// URL is where the app answers.
	URL string `json:"url,omitempty"`
}

// maxText bounds each text of an event in bytes, so that one write has all of it.
const maxText = 500

// bounded returns the event with texts of one printable line each.
func (e Event) bounded() Event {
	for _, s := range []*string{&e.Subject, &e.By, &e.Process, &e.Text, &e.Error, &e.URL} {
		*s = Line(*s)
	}
	return e
}

// Line returns a text as one printable line of bounded length.
func Line(s string) string {
	s = event.Printable(strings.Join(strings.Fields(s), " "))
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "..."
	}
	return s
}

// Describe returns what happened, for people, without time, app and person:
// "v12 3f2c1d9 Fix the login".
func (e Event) Describe() string {
	var parts []string
	add := func(text string) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	switch e.Event {
	case Deploy:
		add(version(e.Release))
		add(e.title())
	case Reject, Undo:
		add(e.title())
	default:
		add(e.Process)
	}
	add(e.Text)
	text := strings.Join(parts, " ")
	if e.Error != "" {
		text = strings.TrimPrefix(text+": "+e.Error, ": ")
	}
	if e.Deploy != 0 {
		text += fmt.Sprintf(" (deploy %d)", e.Deploy)
	}
	return strings.TrimSpace(text)
}

func version(release int) string {
	if release == 0 {
		return ""
	}
	return fmt.Sprintf("v%d", release)
}

func (e Event) title() string {
	return strings.TrimSpace(e.Revision[:min(7, len(e.Revision))] + " " + e.Subject)
}

// Line returns the event as the command events prints it.
func (e Event) Line() string {
	return fmt.Sprintf("%s %s %s %s %s", e.Time.UTC().Format("2006-01-02T15:04:05Z"),
		cmp.Or(e.App, "-"), e.Event, cmp.Or(e.By, "-"), e.Describe())
}
