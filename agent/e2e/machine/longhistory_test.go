package machine

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/command"
	"dokku/agent/command/cli"
	"dokku/agent/store"
)

// work is what this process has asked of the kernel for files, and how long that took.
type work struct {
	calls, bytes int // reads and writes
	took         time.Duration
}

// measure returns the work of an operation. The kernel counts the calls of the whole
// process, so nothing else may run.
func measure(t *testing.T, do func()) work {
	t.Helper()
	before, begun := counters(t), time.Now()
	do()
	took, after := time.Since(begun), counters(t)
	return work{calls: after["syscr"] + after["syscw"] - before["syscr"] - before["syscw"],
		bytes: after["rchar"] + after["wchar"] - before["rchar"] - before["wchar"], took: took}
}

// counters reads /proc/self/io: see proc(5).
func counters(t *testing.T) map[string]int {
	t.Helper()
	data, err := os.ReadFile("/proc/self/io")
	check(t, err)
	all := map[string]int{}
	for line := range strings.Lines(string(data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		all[name], err = strconv.Atoi(value)
		check(t, err)
	}
	return all
}

// pastPerFile is how many summaries the store keeps in a file.
const pastPerFile = 100

// age gives the app n releases, of which the last eight are kept, and as many deploys as
// are recorded.
func (m *machine) age(n int) {
	m.t.Helper()
	s, last := m.server.Env.Store, *m.current()
	a, err := s.Load("shop")
	m.must(err)
	m.must(s.RemoveRelease("shop", last.Number))
	files := map[int][]app.ReleaseSummary{}
	for number := 1; number <= n; number++ {
		r := last
		r.Number, r.Before, r.Cause = number, number-1, "config:set"
		r.Changes = []app.Change{{What: "config", Text: "NAME changed"}}
		if number > n-8 {
			m.must(s.SaveRelease("shop", &r))
			continue
		}
		files[number/pastPerFile] = append(files[number/pastPerFile], r.Summary())
	}
	m.must(os.MkdirAll(s.File("shop", store.PastDir), 0o700))
	for file, list := range files {
		data, err := json.Marshal(map[string]any{"version": 1, "releases": list})
		m.must(errors.Join(err, os.WriteFile(s.File("shop", store.PastDir, strconv.Itoa(file)+".json"), data, 0o600)))
	}
	for number := n + 1; number <= n+20; number++ {
		m.must(s.SaveDeploy("shop", &app.Deploy{Number: number, Cause: "push", Revision: last.Revision, Release: n, State: app.DeployDone}))
		m.must(os.WriteFile(s.DeployLog("shop", number), nil, 0o600))
	}
	for _, old := range []string{"1.log", "1.json"} {
		m.must(os.Remove(filepath.Join(s.File("shop", "deploys"), old)))
	}
	a.State.Current = n
	m.must(s.SaveState("shop", &a.State))
	m.settle()
}

// run runs a command line and returns the number of lines that it prints.
func (m *machine) run(line ...string) int {
	m.t.Helper()
	var out strings.Builder
	if code := command.Execute(m.t.Context(), cli.Env{Root: m.root, Stdin: strings.NewReader(""), Stdout: &out, Stderr: io.Discard}, line); code != 0 {
		m.t.Fatalf("%v ends with %d", line, code)
	}
	return strings.Count(out.String(), "\n")
}

// TestLongHistory: with 10,000 releases of an app, its lists and a push ask no more of the
// disk than with 10. Only the file that has the last summaries may be fuller, with up to a
// hundred; a push reads it twice and writes it for each of two releases whose images go. Times
// depend on the machine's other work, so they are logged.
func TestLongHistory(t *testing.T) {
	h := newHistory(t)
	operations := []struct {
		name  string
		lines int
		do    func(m *machine) int
	}{
		{"releases", 15, func(m *machine) int { return m.run("--quiet", "releases", "shop") }},
		{"deploys", 20, func(m *machine) int { return m.run("--quiet", "deploys", "shop") }},
		{"push", 0, func(m *machine) int { m.must(m.push(h.one, h.two)); return 0 }},
	}
	seen := map[string][]work{}
	for _, n := range []int{10, 10_000} {
		m := newMachine(t, h)
		m.age(n)
		for _, op := range operations {
			var printed int
			seen[op.name] = append(seen[op.name], measure(t, func() { printed = op.do(m) }))
			if n == 10_000 && printed != op.lines {
				t.Errorf("%s prints %d lines, want %d", op.name, printed, op.lines)
			}
		}
		if r := m.current(); r.Number != n+1 || r.Revision != h.two {
			t.Errorf("after the push the release is %+v", r)
		}
	}
	for _, op := range operations {
		few, many := seen[op.name][0], seen[op.name][1]
		t.Logf("%s: with 10 releases %d calls, %d bytes, %s; with 10,000 %d calls, %d bytes, %s", op.name, few.calls, few.bytes, few.took, many.calls, many.bytes, many.took)
		if most := few.calls + few.calls/10 + 3; many.calls > most {
			t.Errorf("%s: %d calls with 10,000 releases, at most %d are right", op.name, many.calls, most)
		}
		if most := few.bytes + few.bytes/10 + 6*pastPerFile*300; many.bytes > most {
			t.Errorf("%s: %d bytes with 10,000 releases, at most %d are right", op.name, many.bytes, most)
		}
		if few.calls < 10 {
			t.Errorf("%s: only %d calls were counted", op.name, few.calls)
		}
	}
}
