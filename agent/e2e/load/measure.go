package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"

	"dokku/agent/e2e/lab"
)

// Allowances for the agent's runtime: idle connections to the engine, threads, and memory
// that was not returned yet.
const (
	soakFiles   = 8
	soakThreads = 8
	soakMemory  = 24 << 10 // kB

	// soakMarks: a tree of nginx's files may have been tested and proven, or not yet.
	soakMarks = 2
)

// Growth of an app's repository per accepted push: a commit, a tree, a file with its delta
// base, since packs are kept as they come, a line of the reflog, and the summary of the
// release that is no longer kept.
const (
	soakObjects = 4
	soakReflog  = 250 // bytes
	soakSummary = 400 // bytes
	soakState   = 512 // bytes by which the numbers and times in files may get longer
)

// measure counts all resources of the lab and its apps on this host.
func measure(l *lab.Lab, apps []*Soaked) amounts {
	l.T.Helper()
	m := amounts{}
	measureProcesses(l, m)
	measureEngine(l, m, apps)
	server, _ := usage(filepath.Join(l.Root, ".dokku"), "log")
	m["files of the server"] = amount{value: server}
	nginx, _ := usage(l.Nginx.Dir)
	m["files for nginx"] = amount{value: nginx, slack: soakMarks}
	locks, _ := usage(filepath.Join(l.Root, ".dokku", "locks"))
	m["locks"] = amount{value: locks}
	for n, a := range apps {
		a.measure(m, fmt.Sprintf("app %d: ", n+1))
	}
	return m
}

func measureProcesses(l *lab.Lab, m amounts) {
	l.T.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(l.Agent.Process.Pid))
	m["agent: open files"] = amount{value: entries(filepath.Join(proc, "fd")), slack: soakFiles}
	m["agent: threads"] = amount{value: entries(filepath.Join(proc, "task")), slack: soakThreads}
	status, err := os.ReadFile(filepath.Join(proc, "status"))
	lab.Must(l.T, err)
	_, rss, _ := strings.Cut(string(status), "VmRSS:")
	kB, err := strconv.Atoi(strings.Fields(rss)[0])
	lab.Must(l.T, err)
	m["agent: memory in kB"] = amount{value: kB, slack: soakMemory}
	m["processes of the lab"] = amount{value: len(l.Processes(""))}
	pid, err := os.ReadFile(filepath.Join(filepath.Dir(l.Nginx.Etc), "nginx.pid"))
	lab.Must(l.T, err)
	id := strings.TrimSpace(string(pid))
	children, err := os.ReadFile(filepath.Join("/proc", id, "task", id, "children"))
	lab.Must(l.T, err)
	m["nginx workers"] = amount{value: len(strings.Fields(string(children)))}
}

func measureEngine(l *lab.Lab, m amounts, apps []*Soaked) {
	l.T.Helper()
	var containers, images, links, rules int
	var bridges []string
	for _, a := range apps {
		containers += len(a.App.Containers())
		labelled, err := l.Tools.Docker.ImageList(l.T.Context(), image.ListOptions{Filters: a.App.Label()})
		lab.Must(l.T, err)
		images += len(labelled)
		networks, err := l.Tools.Docker.NetworkList(l.T.Context(), network.ListOptions{Filters: a.App.Label()})
		lab.Must(l.T, err)
		for _, n := range networks {
			bridges = append(bridges, n.Options["com.docker.network.bridge.name"])
		}
	}
	for _, b := range bridges {
		links += entries(filepath.Join("/sys/class/net", b, "brif"))
	}
	// Only root may look; the engine may keep the rules elsewhere.
	if out, err := exec.Command("iptables-save").Output(); err == nil {
		for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
			if slices.ContainsFunc(bridges, func(b string) bool { return strings.Contains(s.Text(), b) }) {
				rules++
			}
		}
		m["iptables rules of the apps' networks"] = amount{value: rules}
	}
	m["containers"] = amount{value: containers}
	m["networks"] = amount{value: len(bridges)}
	m["images"] = amount{value: images, most: Kept * len(apps)}
	m["images without a name"] = amount{value: dangling(l, apps)}
	m["interfaces of the apps' networks"] = amount{value: links}
}

// dangling counts images without a name that were built for one of the apps: they contain
// its layer.
func dangling(l *lab.Lab, apps []*Soaked) int {
	l.T.Helper()
	list, err := l.Tools.Docker.ImageList(l.T.Context(), image.ListOptions{Filters: filters.NewArgs(filters.Arg("dangling", "true"))})
	lab.Must(l.T, err)
	count := 0
	for _, i := range list {
		info, err := l.Tools.Docker.ImageInspect(l.T.Context(), i.ID)
		if err != nil {
			continue // another test's, removed meanwhile
		}
		if slices.ContainsFunc(apps, func(a *Soaked) bool { return slices.Contains(info.RootFS.Layers, a.layer) }) {
			count++
		}
	}
	return count
}

// measure counts the app's files below the root.
func (a *Soaked) measure(m amounts, prefix string) {
	a.App.Lab.T.Helper()
	out, err := exec.Command("git", "--git-dir", a.App.Dir(), "count-objects", "-v").Output()
	lab.Must(a.App.Lab.T, err)
	git := map[string]int{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		git[name], _ = strconv.Atoi(value)
	}
	objects := soakObjects * a.Deploys
	m[prefix+"git objects"] = amount{value: git["count"] + git["in-pack"], slack: objects}
	m[prefix+"loose git objects"] = amount{value: git["count"], slack: objects, most: 3000}
	m[prefix+"git packs"] = amount{value: git["packs"], slack: a.Deploys, most: 80}
	m[prefix+"git garbage"] = amount{value: git["garbage"]}
	m[prefix+"releases"] = amount{value: entries(a.App.Dir("dokku", "releases")), most: Kept}
	// A log and a record of each.
	m[prefix+"logs of deploys"] = amount{value: entries(a.App.Dir("dokku", "deploys")), slack: 2 * (a.Deploys + a.Rejects), most: 2 * 20}
	files, size := usage(a.App.Dir(), "objects", "deploys")
	m[prefix+"other files"] = amount{value: files, slack: 2} // packed-refs and info/refs, once git has packed
	m[prefix+"bytes of other files"] = amount{value: size, slack: (soakReflog+soakSummary)*a.Deploys + soakState}
}

// BuildCache is the size of the engine's build cache, as text. An engine before API 1.42
// measures all its images to answer, which delays other tests: it is asked if always is
// set.
func BuildCache(l *lab.Lab, always bool) string {
	l.T.Helper()
	if v := l.Tools.Docker.ClientVersion(); !always && versions.LessThan(v, "1.42") {
		return "not measured (API " + v + ")"
	}
	du, err := l.Tools.Docker.DiskUsage(l.T.Context(), types.DiskUsageOptions{Types: []types.DiskUsageObject{types.BuildCacheObject}})
	lab.Must(l.T, err)
	var size int64
	for _, c := range du.BuildCache {
		size += c.Size
	}
	return fmt.Sprintf("%d records, %d kB", len(du.BuildCache), size/1000)
}

func entries(dir string) int {
	list, _ := os.ReadDir(dir)
	return len(list)
}

// usage counts the files below a folder and their bytes, without the folders of
// these names.
func usage(dir string, without ...string) (files, size int) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // it has just been replaced
		case err == nil && d.IsDir() && slices.Contains(without, d.Name()):
			return filepath.SkipDir
		case err == nil && !d.IsDir():
			files++
			if info, err := d.Info(); err == nil {
				size += int(info.Size())
			}
		}
		return nil
	})
	return files, size
}
