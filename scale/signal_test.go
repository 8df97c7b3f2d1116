package scale

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test program be srv, the worker of these tests.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "srv" {
		work(os.Args[1:])
	}
	os.Exit(m.Run())
}

// work is a worker that finishes its job after TERM, once the test allows it. "now" ends
// at once, and "tree" has a child that it ends itself.
func work(args []string) {
	name := args[0]
	if name == "now" {
		os.Exit(0)
	}
	terms := make(chan os.Signal, 9)
	signal.Notify(terms, syscall.SIGTERM)
	// Output ends up where the test reads it, whatever the line does with stdout.
	out, err := os.OpenFile(os.Getenv("OUT"), os.O_WRONLY, 0)
	if err != nil {
		panic(err)
	}
	if name == "tree" {
		leaf := exec.Command(os.Args[0], "leaf")
		if err := leaf.Start(); err != nil {
			panic(err)
		}
		defer leaf.Process.Kill()
		fmt.Fprintln(out, "has", name)
	} else {
		fmt.Fprintln(out, "has", name, strings.Join(args[1:], " "))
	}
	<-terms
	fmt.Fprintln(out, "TERM", name)
	hold, err := os.Open(os.Getenv("HOLD"))
	if err != nil {
		panic(err)
	}
	hold.Close()
	fmt.Fprintln(out, "end", name)
	os.Exit(3)
}

// shells are the shells that images have as /bin/sh.
var shells = map[string]string{"dash": "/bin/dash", "bash": "/bin/bash", "busybox": "/bin/busybox"}

// shapes are lines of a Procfile, with the workers that run when TERM comes.
var shapes = []struct{ line, workers string }{
	{"srv a", "a"},
	{"cd / && srv a", "a"},
	{"X=1 srv a", "a"},
	{"srv a 2>&1", "a"},
	{">/dev/null srv a", "a"},
	{"srv a $UNSET", "a"},
	{"cd /; X=1 srv a >/dev/null 2>&1", "a"},
	{"[ -n x ] && cd / && exec srv a", "a"},
	{"cd $(echo /) && srv a", "a"},
	{"srv now && srv a", "a"},
	{"srv now; exec srv a", "a"},
	{"srv a && srv b", "a"},
	{"srv a || srv b", "a"},
	{"srv a; srv b", "a"},
	{"srv a; exit 0", "a"},
	{"! srv a", "a"},
	{"$SRV a", "a"},
	{"srv a | srv b", "a b"},
	{"srv a 2>&1 | X=1 srv b | srv c", "a b c"},
	{"(cd / && srv a) | srv b", "a b"},
	{"srv a & srv b", "a b"},
	{"srv a & srv b & wait", "a b"},
	{"cd / && srv a & wait", "a"},
	{"srv a & wait; srv b", "a"},
	{"while :; do srv a; done", "a"},
	{"until srv a; do :; done", "a"},
	{"for i in 1 2; do srv a; done", "a"},
	{"if :; then srv a; fi", "a"},
	{"if srv a; then :; fi", "a"},
	{"case x in x) srv a;; esac", "a"},
	{"{ srv a; }", "a"},
	{"(srv a)", "a"},
	{"(cd /; srv a)", "a"},
	{"f() { srv a; }; f", "a"},
	{"trap 'echo bye' EXIT; srv a", "a"},
	{"srv now && srv tree", "tree"},
	{"srv now && exec srv tree", "tree"},
	{"srv tree; srv b", "tree"},
	{"srv tree | srv b", "b tree"},
	{`sh -c "cd / && srv a"`, "a"},
	{`sh -c "srv a; srv b"`, "a"},
}

// bashShapes are lines that need bash.
var bashShapes = []struct{ line, workers string }{
	{"[[ x ]] && srv a", "a"},
	{"source /dev/null && srv a", "a"},
	{"srv a & srv b & wait -n", "a b"},
	{"set -o pipefail; srv a | srv b", "a b"},
	{"for i in {1..3}; do srv a; done", "a"},
}

// TestTerm starts each line as a container would, sends TERM to its first process, and
// ends its processes when the first one ends. Each worker has to get TERM once and to
// finish its job.
func TestTerm(t *testing.T) {
	for name := range shells {
		for _, s := range shapes {
			t.Run(name+"/"+s.line, func(t *testing.T) {
				t.Parallel()
				terminate(t, newContainer(t, name), s.line, s.workers)
			})
		}
	}
	for _, s := range bashShapes {
		t.Run("dash and bash/"+s.line, func(t *testing.T) {
			t.Parallel()
			c := newContainer(t, "dash")
			c.has(shells["bash"], "bash")
			terminate(t, c, s.line, s.workers)
		})
	}
}

// A container is a folder of programs in place of an image.
type container struct {
	t   *testing.T
	bin string
}

func newContainer(t *testing.T, shell string) *container {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin, err := os.MkdirTemp("", "image") // t.TempDir has characters of the line in its name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(bin) })
	c := &container{t, bin}
	c.has(shells[shell], "sh")
	c.has(self, "srv")
	c.has("/bin/cat", "cat")
	return c
}

func (c *container) has(program, name string) {
	c.t.Helper()
	if _, err := os.Stat(program); err != nil {
		c.t.Fatalf("these tests need dash, bash and busybox: %v", err)
	}
	if err := os.Symlink(program, filepath.Join(c.bin, name)); err != nil {
		c.t.Fatal(err)
	}
}

// command returns the process of a line, in a group of its own.
func (c *container) command(line string, env ...string) *exec.Cmd {
	c.t.Helper()
	argv, _, err := Command(line, func(string) (string, bool) { return "", false })
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range argv {
		argv[i] = strings.ReplaceAll(argv[i], "/bin/sh", filepath.Join(c.bin, "sh"))
	}
	if !filepath.IsAbs(argv[0]) {
		argv[0] = filepath.Join(c.bin, argv[0])
	}
	ctx, cancel := context.WithTimeout(c.t.Context(), 20*time.Second)
	c.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(env, "PATH="+c.bin)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func terminate(t *testing.T, c *container, line, workers string) {
	hold, outs := filepath.Join(c.bin, "hold"), filepath.Join(c.bin, "out")
	for _, fifo := range []string{hold, outs} {
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read, err := os.OpenFile(outs, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	lines := bufio.NewScanner(read)
	cmd := c.command(line, "HOLD="+hold, "OUT="+outs, "SRV=srv")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // as the end of a container does
		fmt.Fprintln(read, "over")
		close(ended)
	}()
	defer func() { <-ended }()
	defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)

	names := strings.Fields(workers)
	expect := len(names)
	if strings.Contains(workers, "tree") {
		expect++
	}
	seen := map[string]int{}
	await := func(event string, n int) {
		for found := 0; found < n && lines.Scan(); {
			text := strings.TrimSpace(lines.Text())
			if seen[text]++; text == "over" {
				t.Fatalf("the line ended early, after %v", seen)
			}
			if strings.HasPrefix(text, event+" ") {
				found++
			}
		}
	}
	await("has", expect)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await("TERM", len(names))
	release, err := os.OpenFile(hold, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer release.Close()
	for lines.Scan() && lines.Text() != "over" {
		seen[strings.TrimSpace(lines.Text())]++
	}
	want := map[string]int{}
	for _, n := range names {
		want["has "+n], want["TERM "+n], want["end "+n] = 1, 1, 1
	}
	if strings.Contains(workers, "tree") {
		want["has leaf"] = 1
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", seen, want)
	}
}
