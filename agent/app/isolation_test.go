package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/build/options"
)

// TestMemoryShare: half of the memory, more on a small server.
func TestMemoryShare(t *testing.T) {
	for total, want := range map[int64]int64{0: 0, 512: 384, 600: 450, 1024: 512, 2048: 1024, 65536: 32768} {
		if got := MemoryShare(total << 20); got != want<<20 {
			t.Errorf("of %d MB a container gets %d MB, want %d", total, got>>20, want)
		}
	}
}

// TestIsolationOfReleases: new releases of an isolated app bound their containers. An app that is
// older, or whose isolation is off, gets what it had: no limits.
func TestIsolationOfReleases(t *testing.T) {
	had := hostMemory
	hostMemory = func() int64 { return 8 << 30 }
	t.Cleanup(func() { hostMemory = had })
	limits := func(st State, set Settings) Limits {
		t.Helper()
		l, err := View{App: &App{Name: "hello", State: st}, Settings: set}.ContainerOptions().Limits("web", options.Container{})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	pids := func(value string) map[string]string { return map[string]string{PropPidsLimit: value} }
	for name, test := range map[string]struct {
		st   State
		set  Settings
		want Limits
	}{
		"an older app":     {State{}, Settings{Isolation: pids("100")}, Limits{}},
		"isolation is off": {State{Isolation: IsolationOff, IsolationSet: pids("50")}, Settings{}, Limits{}},
		"an older app with a limit": {State{Resources: map[string]string{"web.limit.memory": "100"}}, Settings{},
			Limits{Memory: 100 << 20}},
		"a new app":                  {State{Isolation: IsolationNow}, Settings{}, Limits{Memory: 4 << 30, MemorySwap: 4 << 30, Pids: 4096}},
		"fewer processes":            {State{Isolation: IsolationNow, IsolationSet: pids("64")}, Settings{}, Limits{Memory: 4 << 30, MemorySwap: 4 << 30, Pids: 64}},
		"the server's most":          {State{Isolation: IsolationNow, IsolationSet: pids("4000")}, Settings{Isolation: pids("100")}, Limits{Memory: 4 << 30, MemorySwap: 4 << 30, Pids: 100}},
		"more, as the server allows": {State{Isolation: IsolationNow}, Settings{Isolation: pids("9000")}, Limits{Memory: 4 << 30, MemorySwap: 4 << 30, Pids: 9000}},
		"nonsense by hand":           {State{Isolation: IsolationNow, IsolationSet: pids("-1")}, Settings{Isolation: pids("0")}, Limits{Memory: 4 << 30, MemorySwap: 4 << 30, Pids: 4096}},
		"a limit of memory": {State{Isolation: IsolationNow, Resources: map[string]string{"_default_.limit.memory": "100"}}, Settings{},
			Limits{Memory: 100 << 20, MemorySwap: 100 << 20, Pids: 4096}},
		"a limit of swap": {State{Isolation: IsolationNow, Resources: map[string]string{"web.limit.memory": "100", "web.limit.memory-swap": "300"}}, Settings{},
			Limits{Memory: 100 << 20, MemorySwap: 300 << 20, Pids: 4096}},
		"a large reservation": {State{Isolation: IsolationNow, Resources: map[string]string{"web.reserve.memory": "6g"}}, Settings{},
			Limits{Memory: 6 << 30, MemorySwap: 6 << 30, MemoryReservation: 6 << 30, Pids: 4096}},
		"on a swarm": {State{Isolation: IsolationNow, Scheduler: map[string]string{PropScheduler: SchedulerSwarm}}, Settings{}, Limits{Pids: 4096}},
	} {
		if got := limits(test.st, test.set); got != test.want {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
}

// TestDirectPath: a mount leads to what it named when it was added. An app mounts the folder x, and
// another one the folder y in it; a container of the first replaces y by a link to the root of the
// host, and the engine opens that at the next start of the second.
func TestDirectPath(t *testing.T) {
	root := t.TempDir()
	set := Settings{StorageRoot: root}
	for _, dir := range []string{"x/y", "z"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(root, "file"), nil, 0o644)
	os.Symlink("/etc", filepath.Join(root, "out"))
	os.Symlink("z", filepath.Join(root, "link"))
	os.Symlink("x/y", filepath.Join(root, "deep"))
	for path, want := range map[string]string{
		"x": "", "x/": "", "./z": "", "file": "",
		"x/y": "lies inside " + root + "/x", "x/none": "lies inside " + root + "/x", "x/../x/y": "lies inside", "x/y/z": "lies inside",
		"none": "does not exist", "out": "leads to /etc", "deep": "x/y lies inside " + root + "/x", ".": "is not below", "..": "is not below", "../x": "is not below",
	} {
		got, err := set.DirectPath(root + "/" + path)
		if want == "" && (err != nil || got != filepath.Join(root, path)) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %s, %v, want %q", path, got, err, want)
		}
	}
	if got, err := set.DirectPath(root + "/link"); got != root+"/z" || err != nil {
		t.Errorf("a link to a neighbour gives the engine %s, %v", got, err)
	}
	v := View{App: &App{Name: "hello", State: State{Mounts: []Mount{{Source: root + "/x/y", Target: "/y"}, {Source: "cache", Target: "/c"}, {Source: root + "/z", Target: "/z"}},
		DockerOptions: map[string][]string{"deploy": {"-v " + root + "/x/y:/other"}, "run": {"-v " + root + "/x/none:/none"}}}}, Settings: set}
	if got := strings.Join(v.NestedMounts(), " "); got != root+"/x/y "+root+"/x/none" {
		t.Errorf("nested mounts are %s", got)
	}
	v.State.DockerOptions = nil
	for isolation, refused := range map[int]bool{IsolationOlder: false, IsolationOff: false, IsolationNow: true} {
		v.State.Isolation = isolation
		err := v.CheckContainers(v.ContainerOptions())
		if nested := new(NestedError); errors.As(err, &nested) != refused {
			t.Errorf("isolation %d: %v", isolation, err)
		}
	}
}
