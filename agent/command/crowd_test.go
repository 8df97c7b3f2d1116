package command_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dokku/agent/agenttest"
	"dokku/agent/app"
)

var (
	crowdSeed     = flag.Uint64("crowd.seed", 1, "which commands the clients of TestProcessesAtTheSameTime give")
	crowdCommands = flag.Int("crowd.commands", 240, "how many commands they give together")
)

// crowdNames are the names that apps have.
var crowdNames = []string{"a", "b", "c", "d", "e", "f"}

// A crowd are clients whose every command is a process of its own.
type crowd struct {
	t         *testing.T
	bin, root string
	history   *agenttest.History
}

// TestProcessesAtTheSameTime lets eight clients give commands to the same apps at
// the same time, each command a process of the built program. There has to be one
// order of all commands that explains what each of them printed (I10), and every
// loser is told in one line that is known.
//
// It goes red when a lock is not waited for, when a command decides by what it
// read before it had the lock, or when one stumbles over an app that another one
// has just removed.
func TestProcessesAtTheSameTime(t *testing.T) {
	c := &crowd{t: t, bin: filepath.Join(t.TempDir(), "dokku"), root: inMemory(t), history: agenttest.NewHistory()}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", c.bin, "dokku")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build dokku: %s\n%s", err, out)
	}
	if err := writeJSON(filepath.Join(c.root, ".dokku", "server.json"), app.Settings{Version: 1, Docker: "unix://" + emptyEngine(t),
		Nginx: app.NginxSettings{Port: 80, Check: []string{"true"}, Reload: []string{"true"}}}); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); c.clients(8) }()
	select {
	case <-done:
	case <-time.After(3 * time.Minute):
		stacks := make([]byte, 1<<20)
		t.Fatalf("somebody waits for ever:\n%s", stacks[:runtime.Stack(stacks, true)])
	}
	for _, app := range crowdNames {
		for _, what := range reads {
			c.do(8, agenttest.Command{Verb: agenttest.Read, App: app, To: what})
		}
	}
	c.history.Tell(t)
	for _, text := range c.history.Unknown() {
		t.Errorf("not one line that is known: %s", text)
	}
	if err := c.history.Check(time.Minute); err != nil {
		t.Error(err)
	}
}

// inMemory is a folder where fsync costs nothing, if the host has one.
func inMemory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "dokku-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (c *crowd) clients(n int) {
	var all sync.WaitGroup
	for id := range n {
		all.Go(func() {
			r := rand.New(rand.NewPCG(*crowdSeed, uint64(id)))
			for range *crowdCommands / n {
				c.do(id, command(r))
			}
		})
	}
	all.Wait()
}

// emptyEngine is the address of an engine that has nothing: the commands here
// start nothing, but apps:destroy and apps:rename look.
func emptyEngine(t *testing.T) string {
	dir, err := os.MkdirTemp("", "engine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.Listen("unix", filepath.Join(dir, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", "application/json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/_ping"):
			fmt.Fprint(w, "OK")
		case strings.HasSuffix(r.URL.Path, "/json"), strings.HasSuffix(r.URL.Path, "/networks"):
			fmt.Fprint(w, "[]")
		case strings.HasSuffix(r.URL.Path, "/volumes"):
			fmt.Fprint(w, "{}")
		default:
			http.Error(w, `{"message": "nothing is here"}`, http.StatusNotFound)
		}
	})}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// reads are the readable values; each command prints one of them.
var reads = []string{"exists", "config", "scale", "domains", "locked"}

// command is a client's next command.
func command(r *rand.Rand) agenttest.Command {
	some := func(list ...string) string { return list[r.IntN(len(list))] }
	c := agenttest.Command{App: some(crowdNames...), Stays: true}
	c.Verb = some(agenttest.Read, agenttest.Read, agenttest.Read, agenttest.Read, agenttest.Read, agenttest.Read, "ps:scale", "ps:scale",
		"ps:scale", "config:set", "config:set", "config:set", "config:unset", "domains:add", "domains:add", "domains:add", "domains:reset",
		"apps:create", "apps:create", "apps:create", "apps:create", "apps:destroy", "apps:rename", "apps:rename", "apps:lock", "apps:unlock")
	switch c.Verb {
	case agenttest.Read:
		c.To = some(reads...)
	case "ps:scale":
		c.Pairs, c.Stays = []string{fmt.Sprint(some("web=", "worker="), r.IntN(4))}, r.IntN(2) == 0
	case "config:set":
		c.Pairs = []string{fmt.Sprint(some("A=", "B=", "C="), r.IntN(100))}
	case "config:unset":
		c.Keys = []string{some("A", "B", "C")}
	case "domains:add":
		c.Domain = some("x", "y", "z") + ".example.com"
	case "apps:rename":
		c.To = some(crowdNames...)
	}
	return c
}

// do gives a command and records how it went.
func (c *crowd) do(id int, cmd agenttest.Command) {
	args := append([]string{cmd.Verb, cmd.App}, append(cmd.Pairs, cmd.Keys...)...)
	switch cmd.Verb {
	case agenttest.Read:
		args = map[string][]string{"exists": {"apps:exists", cmd.App}, "config": {"config:export", cmd.App, "--format", "json"},
			"scale": {"ps:scale", cmd.App, "--format", "json", "--origin"}, "domains": {"domains:report", cmd.App, "--domains-app-vhosts"},
			"locked": {"apps:locked", cmd.App}}[cmd.To]
	case "config:set", "config:unset":
		args = append(args, "--no-restart")
	case "ps:scale", "apps:rename":
		if cmd.Stays {
			args = append(args, "--skip-deploy")
		}
	case "domains:add":
		args = append(args, cmd.Domain)
	case "apps:destroy":
		args = append(args, "--force")
	}
	if cmd.Verb == "apps:rename" {
		args = slices.Insert(args, 2, cmd.To)
	}
	called := c.history.Now()
	stdout, refused := c.run(args)
	o := agenttest.Outcome{Refused: refused}
	if cmd.Verb == agenttest.Read {
		o.Seen, o.Refused = c.seen(cmd, stdout, refused)
	}
	c.history.Add(id, called, cmd, o)
}

// run runs a command and returns its output and the text of its error.
func (c *crowd) run(args []string) (stdout, refused string) {
	var out, errs bytes.Buffer
	p := exec.Command(c.bin, args...)
	p.Env = append(os.Environ(), "DOKKU_ROOT="+c.root)
	p.Stdout, p.Stderr = &out, &errs
	err := p.Run()
	var lines []string
	for line := range strings.Lines(errs.String()) {
		lines = append(lines, strings.TrimSuffix(strings.TrimPrefix(line, " !     "), "\n"))
	}
	refused = strings.Join(lines, "\n")
	var ended *exec.ExitError
	code := 0
	if errors.As(err, &ended) {
		code = ended.ExitCode()
	}
	want := 0
	switch {
	case strings.HasPrefix(refused, "App ") && strings.HasSuffix(refused, " does not exist"):
		want = 20
	case refused != "":
		want = 1
	}
	if code != want || code == 0 && err != nil {
		return "", fmt.Sprintf("exit code %d, want %d (%v): %s", code, want, err, refused)
	}
	return out.String(), refused
}

// seen is a command's output about an app.
func (c *crowd) seen(cmd agenttest.Command, stdout, refused string) (map[string]string, string) {
	if refused == "App "+cmd.App+" does not exist" {
		return map[string]string{"exists": "false"}, ""
	}
	seen := map[string]string{"exists": "true"}
	var err error
	switch cmd.To {
	case "config":
		var m map[string]string
		err = json.Unmarshal([]byte(stdout), &m)
		seen["config"] = agenttest.Pairs(m)
	case "scale":
		var list []struct {
			Type   string `json:"process_type"`
			Count  int    `json:"quantity"`
			Origin string `json:"origin"`
		}
		err = json.Unmarshal([]byte(stdout), &list)
		m := map[string]int{}
		for _, e := range list {
			if e.Origin != "default" { // nobody stored it
				m[e.Type] = e.Count
			}
		}
		seen["scale"] = agenttest.Pairs(m)
	case "domains":
		own := slices.DeleteFunc(strings.Fields(stdout), func(d string) bool { return !strings.HasSuffix(d, ".example.com") })
		seen["domains"] = strings.Join(own, " ") // without the one by the machine's name
	case "locked":
		seen["locked"] = fmt.Sprint(refused == "")
		if refused == "Deploy lock does not exist" {
			refused = ""
		}
	}
	if err != nil {
		refused = err.Error()
	}
	return seen, refused
}
