package builds

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"

	"dokku/agent/engine"
	"dokku/build/buildtest"
)

var (
	matrixFull = flag.Bool("builds.full", false, "strike at all calls of a build, not at one of each kind")
	matrixOnly = flag.String("builds.only", "", "strike only where the description matches")
)

// A matrix strikes at the calls that a build makes of the engine, in each way. The app is
// pushed again and again: each build begins with what the recovery from the last strike
// has left.
type matrix struct {
	*bench
	files  func(version int) buildtest.Files
	answer func(version int) string // what the version serves
	// cached matches the output of a build that has found its cache whole.
	cached *regexp.Regexp
	// rejected are files that make the build fail, by what the push says then.
	rejected map[string]buildtest.Files

	version int // that serves
	next    int
	strikes int
}

// wholeBuilds: after so many strikes, a push has to be accepted.
const wholeBuilds = 8

func (m *matrix) run() {
	m.Helper()
	m.next = 1
	m.pushed(m.files(0), m.answer(0))
	m.relay.Plan(buildtest.Call{}, "")
	m.accepted()
	calls := m.relay.Calls()
	m.rest("undisturbed")
	only := regexp.MustCompile(*matrixOnly)
	for _, strike := range []buildtest.Strike{buildtest.KillAfter, buildtest.KillDuring, buildtest.Refuse, buildtest.KillBefore} {
		for _, call := range points(calls, strike) {
			if what := fmt.Sprintf("%s, %s", call, strike); only.MatchString(what) {
				m.strike(call, strike, what)
			}
		}
	}
	for want, files := range m.rejected {
		m.reject(files, want)
	}
	m.accepted()
	m.Logf("%d calls of the engine, %d strikes", len(calls), m.strikes)
}

// points are the calls at which a strike makes a difference. Unless all are asked for, they
// are the last one of each kind that changes something.
func points(calls []buildtest.Call, s buildtest.Strike) (list []buildtest.Call) {
	if s == buildtest.KillBefore { // before any other is as after the one before
		return calls[:1]
	}
	last := map[string]int{}
	for _, call := range calls {
		last[call.Request] = call.Nth
	}
	for _, call := range calls {
		sends := strings.HasPrefix(call.Request, "PUT ") || call.Request == "POST /images/load"
		one := *matrixFull || last[call.Request] == call.Nth && !strings.HasPrefix(call.Request, "GET ")
		if s == buildtest.Refuse && !*matrixFull { // what an engine refuses when its disk is full
			one = one && (sends || call.Request == "POST /commit" || call.Request == "POST /containers/create")
		}
		if one && (sends || s != buildtest.KillDuring) {
			list = append(list, call)
		}
	}
	return list
}

// accepted pushes a version whose build finds its cache.
func (m *matrix) accepted() {
	m.Helper()
	m.version, m.next = m.next, m.next+1
	m.pushed(m.files(m.version), m.answer(m.version))
	if m.version > 1 && !m.cached.MatchString(m.out.String()) {
		m.Fatalf("the cache of v%d is not found:\n%s", m.version, &m.out)
	}
}

// strike pushes a version whose build is disturbed, and checks what is left.
func (m *matrix) strike(at buildtest.Call, s buildtest.Strike, what string) {
	m.Helper()
	m.strikes++
	m.relay.Plan(at, s)
	err := m.push(m.files(m.next))
	made := m.relay.Calls()
	switch kills := s != buildtest.Refuse; {
	case !slices.Contains(made, at):
		m.Fatalf("%s: the build has ended after %d calls without it: %v\n%s", what, len(made), err, &m.out)
	case err == nil:
		m.Fatalf("%s: the push is accepted:\n%s", what, &m.out)
	case kills != m.relay.Dead():
		m.Fatalf("%s: dead is %t", what, !kills)
	case kills:
		if m.strikes%3 == 0 {
			m.prune()
		}
		m.die()
		m.recover(m.strikes%2 == 0)
		m.rest(what)
	case strings.HasPrefix(at.Request, "DELETE "):
		m.rest(what)
	default:
		m.relay.Plan(buildtest.Call{}, "")
		if left := m.unrest(); left != nil {
			m.Fatalf("%s: the push is rejected: %v\nleft is: %v\n%s", what, err, left, &m.out)
		}
	}
	m.serves(m.answer(m.version))
	m.Logf("%s: %s", what, strings.Split(fmt.Sprint(err), "\n")[0])
	if m.strikes%wholeBuilds == 0 {
		m.accepted()
	}
}

// prune removes the containers of a killed build as somebody does who cleans up by hand:
// without their volumes.
func (m *matrix) prune() {
	m.Helper()
	label := m.label()
	label.Add("label", engine.LabelContainerType+"="+string(engine.KindBuild))
	list, err := m.cli.ContainerList(m.Context(), container.ListOptions{All: true, Filters: label})
	m.must(err)
	for _, c := range list {
		m.must(m.cli.ContainerRemove(m.Context(), c.ID, container.RemoveOptions{Force: true}))
	}
}

// reject pushes files whose build fails.
func (m *matrix) reject(f buildtest.Files, want string) {
	m.Helper()
	err := m.push(f)
	if err == nil || !strings.Contains(err.Error()+m.out.String(), want) {
		m.Fatalf("%v, want %q:\n%s", err, want, &m.out)
	}
	if left := m.unrest(); left != nil {
		m.Fatalf("%s: %v", want, left)
	}
	m.serves(m.answer(m.version))
}
