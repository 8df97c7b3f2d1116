package proc

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	tail := " S 7 9 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2 3"
	for stat, want := range map[string]process{
		"12 (git)" + tail:                   {Pid: 12, Parent: 7, State: 'S', Start: 4242},
		"12 (a b) S 1 1 (c)" + tail:         {Pid: 12, Parent: 7, State: 'S', Start: 4242},
		"12 ())" + tail:                     {Pid: 12, Parent: 7, State: 'S', Start: 4242},
		"12 (x\n)" + strings.ToUpper(tail):  {Pid: 12, Parent: 7, State: 'S', Start: 4242},
		"12 (git) Z 7 0 0 0 0 0 0 0 0 0 0 ": {},
		"12 (git)":                          {},
		"":                                  {},
		"x (git)" + tail:                    {},
	} {
		p, err := parseStat(stat)
		if (err != nil) != (want.Pid == 0) || err == nil && (p.Pid != want.Pid || p.Parent != want.Parent || p.State != want.State || p.Start != want.Start) {
			t.Errorf("parseStat(%q) = %+v, %v; want %+v", stat, p, err, want)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("12 (git) S 7 9 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1 2 3")
	f.Fuzz(func(_ *testing.T, stat string) { parseStat(stat) })
}

func TestGitCommand(t *testing.T) {
	for line, want := range map[string]string{
		"git receive-pack /a":                         "receive-pack",
		"git-receive-pack /a":                         "receive-pack",
		"/usr/lib/git-core/git-receive-pack /a":       "receive-pack",
		"/usr/lib/git-core/git receive-pack --x .":    "receive-pack",
		"git -c a=receive-pack -C /x --bare gc":       "gc",
		"git --git-dir=/a --work-tree /b status":      "status",
		"git":                                         "",
		"sh -c git-receive-pack '/a'":                 "",
		"git push /a receive-pack":                    "push",
		"":                                            "",
		"/home/dokku/app/hooks/pre-receive something": "",
	} {
		if got := gitCommand(strings.Split(line, " ")); got != want {
			t.Errorf("gitCommand(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestOwnerAlive(t *testing.T) {
	boot, err := BootID()
	if err != nil {
		t.Fatal(err)
	}
	self, err := readProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	o := Owner{Boot: boot, PID: self.Pid, Start: self.Start}
	if !o.Alive() {
		t.Error("a process that runs counts as dead")
	}
	for what, dead := range map[string]Owner{
		"of an earlier boot":                 {Boot: "x", PID: o.PID, Start: o.Start},
		"with a number that was given again": {Boot: boot, PID: o.PID, Start: o.Start - 1},
		"that never was":                     {},
	} {
		if dead.Alive() {
			t.Errorf("a process %s counts as alive", what)
		}
		if err := dead.Terminate(); err != nil { // and this test goes on
			t.Errorf("Terminate of a process %s: %v", what, err)
		}
	}
}

func TestZombieIsNotAlive(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	boot, _ := BootID()
	p, err := readProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	o := Owner{Boot: boot, PID: p.Pid, Start: p.Start}
	if !o.Alive() {
		t.Error("a child that runs counts as dead")
	}
	in.Close()
	// Ended, and not reaped.
	if err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if o.Alive() {
		t.Error("a zombie counts as alive")
	}
	cmd.Wait()
	if o.Alive() {
		t.Error("a process that is gone counts as alive")
	}
}

func TestNoOwnerOutsideOfAPush(t *testing.T) {
	if o, err := ReceivePackAbove(1); err == nil {
		t.Errorf("process 1 belongs to the push %+v", o)
	}
}

func TestWorksIn(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]bool{
		"git -C " + dir + " gc":         true,
		"git -C " + link + " gc":        true,
		"git --git-dir=" + dir + " gc":  true,
		"git receive-pack " + dir + "/": true,
		"git receive-pack " + dir + "2": false,
		"git gc":                        false, // somewhere else
	} {
		if got := worksIn(process{Pid: os.Getpid(), Args: strings.Split(line, " ")}, dir); got != want {
			t.Errorf("worksIn(%q) = %v, want %v", line, got, want)
		}
	}
}
