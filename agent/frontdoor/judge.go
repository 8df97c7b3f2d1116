package frontdoor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/proxy/doors"
	"dokku/agent/text"
)

// maxOff is how far a clock may be off: certificates are valid to the minute.
const maxOff = time.Minute

// A State is a front door and how it is.
type State struct {
	Name string
	app.FrontDoor
	// Proven and Missing are the apps that it serves as this server does, and those that it
	// does not yet.
	Proven, Missing []string
	// Err is why it does not answer; a disabled one is not asked. LeftOut: changes go on
	// without it, since it has not answered since Away.
	Err     error
	Away    time.Time
	LeftOut bool
	Report  doors.Report
}

// A Problem is what is wrong with a front door.
type Problem struct {
	Text, Fix string
	// Grave: something does not work now. Else it is a risk.
	Grave bool
}

// A Question is what States asks each enabled front door.
type Question int

// The questions.
const (
	Nothing  Question = iota
	OfRoutes          // which routes it has; one that is not the proven one counts as missing
	OfNginx           // also whether its nginx is well, which it tests for that
)

// States returns all front doors, sorted by name.
func States(ctx context.Context, s *agent.Server, set app.Settings, ask Question) []State {
	if len(set.FrontDoors) == 0 {
		return nil
	}
	list := make([]State, len(set.FrontDoors))
	apps := routed(s)
	var wg sync.WaitGroup
	for i, name := range set.Doors() {
		wg.Go(func() {
			st := State{Name: name, FrontDoor: set.FrontDoors[name]}
			st.Away, st.LeftOut = s.Doors(set).Away(name), s.Doors(set).LeftOut(name, st.FrontDoor)
			if ask != Nothing && !st.Disabled {
				st.Report, st.Err = s.Doors(set).Look(ctx, name, st.FrontDoor, ask == OfNginx)
			}
			for _, app := range apps {
				if s.Doors(set).Proven(name, app) {
					st.Proven = append(st.Proven, app)
				} else {
					st.Missing = append(st.Missing, app)
				}
			}
			list[i] = st
		})
	}
	wg.Wait()
	return list
}

// routed are the apps that the proxy serves.
func routed(s *agent.Server) (list []string) {
	names, _ := s.Env.Store.Apps()
	for _, name := range names {
		if a, err := s.Load(name); err == nil && a.Served() && !a.State.ProxyDisabled {
			list = append(list, name)
		}
	}
	return list
}

// Judge returns the problems of a front door that was asked. version is this program's; "":
// unknown.
func (st State) Judge(version string) (found []Problem) {
	switch {
	case st.Disabled:
		return []Problem{{Text: fmt.Sprintf("front door %s is disabled: nothing is sent to it", st.Name),
			Fix: fmt.Sprintf("dokku front-door:enable %s, or dokku front-door:remove %[1]s", st.Name)}}
	case st.Err != nil:
		p := Problem{Grave: true, Text: bare(st.Err).Error(), Fix: fmt.Sprintf("start it; or take it out of the DNS, then: dokku front-door:disable %s", st.Name)}
		if st.LeftOut {
			p.Text += fmt.Sprintf("; deploys go on without it, since it has not answered since %s", st.Away.Format(time.RFC3339))
		}
		return []Problem{p}
	}
	for _, trouble := range st.Report.Troubles {
		line, _, _ := strings.Cut(trouble, "\n")
		found = append(found, Problem{Grave: true, Text: fmt.Sprintf("nginx of front door %s: %s", st.Name, line), Fix: "there: systemctl status nginx; nginx -t"})
	}
	if off := st.Report.Off.Abs(); off > maxOff {
		found = append(found, Problem{Grave: true, Text: fmt.Sprintf("the clock of front door %s is off by %s", st.Name, off.Round(time.Second)),
			Fix: "set the clocks of both servers: apt-get install chrony"})
	}
	if theirs := st.Report.Version; differ(theirs, version) {
		found = append(found, Problem{Text: fmt.Sprintf("front door %s has version %s of dokku, this server %s", st.Name, theirs, version),
			Fix: "update both; there, run the line of dokku front-door:key again"})
	}
	if len(st.Missing) > 0 {
		found = append(found, Problem{Grave: true, Text: fmt.Sprintf("front door %s lacks the present route of %s", st.Name, some(st.Missing)),
			Fix: "the agent sends them; at once: dokku front-door:sync " + st.Name})
	}
	return found
}

// differ reports whether two programs, "VERSION REVISION", are different ones. Without git, as
// at a front door, nobody knows the revision.
func differ(theirs, ours string) bool {
	a, one, _ := strings.Cut(theirs, " ")
	b, other, _ := strings.Cut(ours, " ")
	const unknown = "unknown"
	return ours != "" && (a != b || one != other && one != unknown && other != unknown)
}

// some names the first few of many apps.
func some(apps []string) string {
	const few = 5
	if len(apps) <= few {
		return strings.Join(apps, ", ")
	}
	return fmt.Sprintf("%s and %s", strings.Join(apps[:few], ", "), text.Plural(len(apps)-few, "other app"))
}

// A Watched is what the agent remembers of the front doors between two looks.
type Watched struct {
	// down are those that did not answer.
	down map[string]bool
}

// Down reports whether a front door did not answer the last look.
func (w *Watched) Down() bool { return len(w.down) > 0 }

// Look asks all enabled front doors whether they still serve what they have proven, and
// removes what they have beside that. due are the apps that have to be published again. An
// error is told once until the front door answers again: then up has its name.
func (w *Watched) Look(ctx context.Context, s *agent.Server) (due, up []string, err error) {
	set, err := s.Settings()
	if err != nil {
		return nil, nil, err
	}
	down := map[string]bool{}
	seen := map[string]bool{}
	var errs []error
	for _, st := range States(ctx, s, set, OfRoutes) {
		switch {
		case st.Disabled:
			continue
		case st.Err != nil:
			if down[st.Name] = true; !w.down[st.Name] {
				errs = append(errs, bare(st.Err))
			}
			if err := s.Doors(set).NoteAway(ctx, st.Name); err != nil {
				errs = append(errs, err)
			}
			continue
		case w.down[st.Name], !st.Away.IsZero():
			up = append(up, st.Name)
			if err := s.Doors(set).NoteBack(ctx, st.Name); err != nil {
				errs = append(errs, err)
			}
			st.Missing = append(st.Missing, st.Proven...)
		}
		if err := prune(ctx, s, st.Name, st.Report.Apps); err != nil {
			errs = append(errs, err)
		}
		for _, name := range st.Missing {
			if !seen[name] {
				due, seen[name] = append(due, name), true
			}
		}
	}
	w.down = down
	return due, up, errors.Join(errs...)
}
