package command

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dokku/agent/app"
)

// reading are command lines that only read, and show no running processes.
const reading = `
version
help
help ps:scale
ps
ps:help
completion bash
apps:list
apps:exists hello
ps:scale hello
ps:scale hello --format json
ps:report fresh
ps:report hello --deployed
ps:report hello --processes
ps:report hello --ps-can-scale
ps:report hello --ps-computed-restart-policy
ps:report hello --restore
ps:report hello --revision
ps:report hello --serving
ps:report hello --undeployed
ps:report --deployed
config:show hello
config:show --global
config:get hello GREETING
config:keys hello
config:export hello
config:export hello --merged --format json
domains:report
nginx:report hello --nginx-computed-client-max-body-size
git:report hello --git-sha
urls hello
plugin:trigger service-list
__completeNoDesc ps:scale hello w
`

// showing are command lines that show running processes, which only the engine knows.
const showing = `
ps hello
ps:report hello
ps:report hello --running
ps:report hello --problem
ps:inspect hello
network:report hello
cluster:report
logs hello
checks:run hello
`

// Only what shows what runs talks to the engine: everything else works, and is
// quick, while the engine is down or busy.
func TestReadingAsksNoEngine(t *testing.T) {
	f := newFixture(t)
	asked := f.listen()
	for _, line := range f.reading() {
		got := f.run(strings.Fields(line)...)
		if got.code != 0 || got.stderr != "" && !strings.HasPrefix(line, "__complete") {
			t.Errorf("dokku %s: %+v", line, got)
		}
		if n := asked.Swap(0); n > 0 {
			t.Errorf("dokku %s opens %d connections to the engine", line, n)
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(showing), "\n") {
		if got := f.run(strings.Fields(line)...); got.code != 1 || asked.Swap(0) == 0 {
			t.Errorf("dokku %s does not ask the engine: %+v", line, got)
		}
	}
}

// Nor does reading take long: 20 ms more than the version at most. One try of
// many is enough, on a machine that has other things to do.
func TestReadingIsQuick(t *testing.T) {
	f := newFixture(t)
	for _, line := range f.reading() {
		least := time.Hour
		for tries := 0; tries < 50 && least > 20*time.Millisecond; tries++ {
			least = min(least, f.time(strings.Fields(line)...)-f.time("version"))
		}
		if least > 20*time.Millisecond {
			t.Errorf("dokku %s takes %s more than dokku version", line, least)
		}
	}
}

func (f *fixture) time(args ...string) time.Duration {
	start := time.Now()
	f.run(args...)
	return time.Since(start)
}

// reading is every line of reading, and the reports.
func (f *fixture) reading() []string {
	f.t.Helper()
	lines := strings.Split(strings.TrimSpace(reading), "\n")
	for _, name := range commands(f) {
		// Three reports show what runs, and one asks other servers.
		if name == "backup:report" {
			lines = append(lines, name) // the server's
		} else if strings.HasSuffix(name, ":report") && name != "ps:report" && name != "network:report" && name != "cluster:report" && name != "front-door:report" {
			lines = append(lines, name+" hello")
		}
	}
	if len(lines) < 35 {
		f.t.Fatalf("only %d command lines", len(lines))
	}
	return lines
}

// listen makes the engine of the fixture one that hangs up on everybody, and
// counts them.
func (f *fixture) listen() *atomic.Int64 {
	f.t.Helper()
	dir, err := os.MkdirTemp("", "engine") // short, unlike t.TempDir
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { l.Close() })
	var asked atomic.Int64
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			c.Close()
		}
	}()
	f.write(".dokku/server.json", app.Settings{Version: 1, Docker: "unix://" + path, Domains: []string{"example.com"}})
	return &asked
}
