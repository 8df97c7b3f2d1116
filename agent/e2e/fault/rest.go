package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"golang.org/x/sys/unix"

	"dokku/agent/e2e/lab"
	"dokku/agent/engine"
)

// unrest returns the reason why an app is not at rest, or nil. At rest, no interrupted
// operation has left anything behind, and the running processes match the settings. An app
// that does not exist has no resources.
func unrest(a *lab.App) error {
	if err := busy(a); err != nil {
		return err
	}
	if !lab.Exists(a.Dir()) {
		if left := a.Left(); left != "" || a.Upstreams() != nil {
			return fmt.Errorf("the app is gone, and this is left: %s, routes %v", left, a.Upstreams())
		}
		return unlocked(a)
	}
	st, err := a.ReadState()
	if err != nil {
		return err // it is being destroyed
	}
	if st.Staged != nil || len(st.Retiring) > 0 {
		return fmt.Errorf("staged is %v, retiring are %v", st.Staged, st.Retiring)
	}
	return errors.Join(processesRest(a, st), resourcesRest(a, st.Current), filesRest(a), unlocked(a))
}

// busy returns an error while a process of a push is left.
func busy(a *lab.App) error {
	for _, kind := range everybody {
		if pids := a.Lab.Processes(kind); len(pids) > 0 {
			return fmt.Errorf("of the push are left: %s %v", kind, pids)
		}
	}
	return nil
}

// processesRest compares the containers with the formation (I2, I5), and the
// addresses that nginx has with theirs (I1).
func processesRest(a *lab.App, st lab.AppState) error {
	want := map[string]bool{}
	if _, set := st.Scale["web"]; !set {
		st.Scale = maps.Clone(st.Scale)
		if st.Scale == nil {
			st.Scale = map[string]int{}
		}
		st.Scale["web"] = 1
	}
	for typ, n := range st.Scale {
		for i := range n {
			if st.Current != 0 && !st.Stopped {
				want[fmt.Sprintf("/%s.%s.%d running", a.Name, typ, i+1)] = true
			}
		}
	}
	have, web := map[string]bool{}, map[string]bool{}
	for _, c := range a.Containers() {
		have[c.Names[0]+" "+c.State] = true
		if r := c.Labels[engine.LabelRelease]; r != fmt.Sprint(st.Current) {
			return fmt.Errorf("%s is of v%s, and v%d is current", c.Names[0], r, st.Current)
		}
		for _, n := range c.NetworkSettings.Networks {
			if strings.HasPrefix(c.Labels[engine.LabelDyno], "web.") {
				web[n.IPAddress] = true
			}
		}
	}
	if !maps.Equal(have, want) {
		return fmt.Errorf("the containers are %v, want %v", slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(want)))
	}
	up := map[string]bool{}
	for _, u := range a.Upstreams() {
		up[u.Addr().String()] = true
	}
	if !maps.Equal(up, web) {
		return fmt.Errorf("nginx passes requests to %v, web is at %v", up, web)
	}
	return nil
}

// resourcesRest compares the engine's images and networks with the kept releases'
// (I5).
func resourcesRest(a *lab.App, current int) error {
	ctx, docker := a.Lab.T.Context(), a.Lab.Tools.Docker
	want, have := map[string]bool{}, map[string]bool{}
	files, err := filepath.Glob(a.Dir("dokku", "releases", "*.json"))
	for _, path := range files {
		var r struct {
			Number int
			Image  string
		}
		data, err := os.ReadFile(path)
		if err = errors.Join(err, json.Unmarshal(data, &r)); err != nil {
			return err
		}
		if r.Number > current {
			return fmt.Errorf("v%d is kept, and v%d is current", r.Number, current)
		}
		want[r.Image] = true
	}
	// An image keeps the label of an app's former name.
	named, nierr := docker.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", "dokku/"+a.Name))})
	images, ierr := docker.ImageList(ctx, image.ListOptions{Filters: a.Label()})
	networks, nerr := docker.NetworkList(ctx, network.ListOptions{Filters: a.Label()})
	if err := errors.Join(err, nierr, ierr, nerr); err != nil {
		return err
	}
	for _, i := range append(images, named...) {
		have[i.ID] = true
	}
	if !maps.Equal(have, want) {
		return fmt.Errorf("the images are %v, the kept releases have %v", have, want)
	}
	if n := len(networks); n > 1 || n == 0 && current != 0 {
		return fmt.Errorf("there are %d networks", n)
	}
	return nil
}

// filesRest looks for files of killed writers.
func filesRest(a *lab.App) error {
	for _, dir := range []string{a.Dir("dokku"), a.Dir("dokku", "releases"), filepath.Join(a.Lab.Root, ".dokku")} {
		left, err := filepath.Glob(filepath.Join(dir, ".*.json[0-9]*"))
		if err != nil || len(left) > 0 {
			return fmt.Errorf("left are %v, %v", left, err)
		}
	}
	return nil
}

// gitRest looks for files of a killed git; the next push removes them.
func gitRest(a *lab.App) error {
	for _, pattern := range []string{"refs/heads/*.lock", "*.lock", "packed-refs.new", "objects/tmp_objdir-*", "objects/incoming-*"} {
		left, err := filepath.Glob(a.Dir(pattern))
		if err != nil || len(left) > 0 {
			return fmt.Errorf("left are %v, %v", left, err)
		}
	}
	return nil
}

// unlocked returns an error if one of the app's locks is held or was left by a killed
// holder (I9).
func unlocked(a *lab.App) error {
	for _, name := range []string{"locks/" + a.Name, "locks/_domains", "locks/_server", "pushes/" + a.Name, "nginx/lock"} {
		f, err := os.Open(filepath.Join(a.Lab.Root, ".dokku", name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		held := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
		info, err := f.Stat()
		f.Close()
		if held || err != nil || info.Size() > 0 && name == "locks/"+a.Name && lab.Exists(a.Dir()) {
			return fmt.Errorf("the lock %s: held %t, its file has %d bytes, %v", name, held, info.Size(), err)
		}
	}
	return nil
}

// restsNow runs commands until the app is at rest, without an agent.
func restsNow(a *lab.App) {
	a.Lab.T.Helper()
	waitForRest(a, func() { a.Lab.Try("ps:restore", a.Name) })
}

// waitForRest waits until the agent has brought the app to rest, within half a minute
// (I9). It calls a function repeatedly in the meantime.
func waitForRest(a *lab.App, do func()) {
	a.Lab.T.Helper()
	waitSlowly(a.Lab.T, func() error { do(); return unrest(a) })
}

// waitSlowly polls ok at long intervals until it returns nil, because ok is expensive.
func waitSlowly(t *testing.T, ok func() error) {
	t.Helper()
	late := time.After(lab.Patience)
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for err := ok(); err != nil; err = ok() {
		select {
		case <-late:
			t.Fatalf("after %s: %s", lab.Patience, err)
		case <-tick.C:
		}
	}
}
