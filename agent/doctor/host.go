package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/app"
	"dokku/agent/cgroup"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/keys"
	"dokku/agent/repo"
	"dokku/agent/store"
	"dokku/agent/text"
	"dokku/build/buildkit"
	"dokku/build/source"
)

func (d *examination) checkEngine(context.Context) []Finding {
	const check = "engine"
	i, err := d.engine()
	switch {
	case errors.Is(err, engine.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		return []Finding{wrong(check, HealthProblem, service("start", "docker"), "%s", err)}
	case err != nil:
		return []Finding{wrong(check, HealthProblem, "correct the engine's settings in "+d.Server.Env.Store.Own("server.json"), "%s", err)}
	}
	list := fine(check, "%s, API %s", i.Version, i.API)
	list = append(list, d.checkBuilds(i.Version)...)
	if i.EndsContainers {
		list = append(list, fine("engine restarts", `each will interrupt every app for some seconds; to avoid that: set "live-restore": true in %s, then %s`,
			daemonConfig, service("reload", "docker"))...)
	}
	if i.Unfiltered {
		list = append(list, wrong("engine seccomp", HealthProblem, `remove "seccomp-profile" from `+daemonConfig+", then "+service("restart", "docker"),
			"containers may make any system call: the engine filters none"))
	}
	return list
}

// checkBuilds tells of an engine whose builder lets a build out. Where all keys are those of admins,
// who are root anyway, nothing is wrong with that.
func (d *examination) checkBuilds(version string) []Finding {
	if d.set.Build[app.PropIsolation] == app.IsolationOwn {
		return nil
	}
	if !buildkit.Unsafe(version) {
		if apps, err := keys.Deployed(d.Server.Env.Store.Root); err == nil && len(apps) > 0 && d.set.Build[app.PropIsolation] == "" && !store.HasBuilder(d.set) {
			return fine("builds", "the engine builds what deployers push, beside all other apps; to have it built apart: sudo ./install.sh builder")
		}
		return nil
	}
	const check, flaw = "builds", "the builder of Docker %s lets a Dockerfile read and change files of this host (CVE-2024-23651 to 23653)"
	all, err := keys.List(d.Server.Env.Store.Root)
	if err == nil && !slices.ContainsFunc(all, func(k keys.Key) bool { return k.Grant.Role != keys.Admin }) {
		return fine(check, flaw+"; all keys are admins', who may do that anyway. Before others push: install Docker %s, or sudo ./install.sh builder", version, buildkit.Safe)
	}
	return []Finding{wrong(check, HealthWarning, "install Docker "+buildkit.Safe+" (https://docs.docker.com/engine/install/); or sudo ./install.sh builder, then: dokku builder:set --global build-isolation own",
		"who may push may be root here: "+flaw, version)}
}

// daemonConfig is where Docker has its settings, unless it is told otherwise.
const daemonConfig = "/etc/docker/daemon.json"

func (d *examination) checkNginx(context.Context) []Finding {
	const check = "nginx"
	c, err := d.condition()
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "%s", err)}
	}
	var list []Finding
	add := func(h Health, fix string, err error) {
		if err != nil {
			list = append(list, wrong(check, h, fix, "%s", err))
		}
	}
	add(HealthProblem, service("start", "nginx"), c.Down)
	add(HealthProblem, "./install.sh install", c.Foreign)
	add(HealthWarning, service("reload", "nginx"), c.Behind)
	add(HealthProblem, "remove that file, then: dokku doctor --fix", c.Files)
	for _, err := range c.Rules {
		add(HealthProblem, "./install.sh install", err)
	}
	if c.Refused != nil {
		add(HealthProblem, "fix the configuration, then: nginx -t", fmt.Errorf("refuses its configuration: %w", c.Refused))
	}
	add(HealthWarning, "worker_connections 8192; in its events block, then: "+service("reload", "nginx"), c.Few)
	if list == nil {
		return fine(check, "serves %s, its configuration is accepted", text.Plural(len(c.Apps), "app"))
	}
	return list
}

// checkAgent checks that the agent runs, and that it runs this program: after an update
// it keeps running the old one until its restart.
func (d *examination) checkAgent(context.Context) []Finding {
	const check = "agent"
	h, busy, _ := d.Server.Env.Store.Peek(store.AgentLock)
	if !busy {
		return []Finding{wrong(check, HealthProblem, d.agent("start"),
			"the agent does not run: interrupted operations are not finished, and retiring processes are not stopped")}
	}
	running, err := os.Stat(fmt.Sprintf("/proc/%d/exe", h.PID))
	if err != nil {
		return fine(check, "runs as process %d (its program cannot be looked at)", h.PID)
	}
	if own, err := os.Stat(d.Server.Binary); err == nil && !os.SameFile(running, own) {
		return []Finding{wrong(check, HealthWarning, d.agent("restart"),
			"process %d runs another program than %s: it was started before the update", h.PID, d.Server.Binary)}
	}
	return fine(check, "runs as process %d since %s, of this program", h.PID, h.Since.Format(time.RFC3339))
}

func (d *examination) checkGit(ctx context.Context) []Finding {
	const check = "git"
	fix := "apt-get install git"
	out, err := exec.CommandContext(ctx, "git", "--version").Output()
	if err != nil {
		return []Finding{wrong(check, HealthProblem, fix, "cannot run git: %s", err)}
	}
	path, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err == nil {
		_, err = exec.LookPath(filepath.Join(strings.TrimSpace(string(path)), "git-receive-pack"))
	}
	if err != nil {
		return []Finding{wrong(check, HealthProblem, fix, "git has no receive-pack, which receives pushes: %s", err)}
	}
	return fine(check, "%s", strings.TrimPrefix(strings.TrimSpace(string(out)), "git version "))
}

// checkGitLimits tells whether the gits of a push or a clone are in a cgroup. Where a server has none, each of them
// has a limit of its own, and nothing is wrong with that.
func (d *examination) checkGitLimits(ctx context.Context) []Finding {
	const check = "git limits"
	memory, err := d.set.GitLimit(repo.PropMemory, repo.DefaultMemory)
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "dokku git:set --global "+repo.PropMemory, "%s", err)}
	}
	err = cgroup.Try(ctx, d.set.Cgroup, d.Server.Binary)
	switch {
	case errors.Is(err, cgroup.ErrNone):
		return fine(check, "each git of a push or a clone may use %s of memory and as much of the CPUs as an app: there is %s", source.Bytes(memory), err)
	case err != nil:
		return []Finding{wrong(check, HealthWarning, "sudo ./install.sh install", "the gits of pushes and clones do not get into their cgroup, and have limits one by one: %s", err)}
	}
	return fine(check, "the gits of a push or a clone may use %s of memory together, in a cgroup", source.Bytes(memory))
}

// The free space, in percent, below which checkDisk warns or reports a problem. On a small
// disk it does so where a push would: deploy.LowSpace.
const (
	lowDisk  = 10
	fullDisk = 2
)

func (d *examination) checkDisk(context.Context) []Finding {
	list := d.space("disk", d.Server.Env.Store.Root, d.Server.Env.Store.Root)
	if i, err := d.engine(); err == nil && i.DataRoot != "" {
		list = append(list, d.space("disk of the engine", i.DataRoot, i.DataRoot)...)
	}
	return list
}

// space checks the free space for a plain user at path. It reports nothing if it cannot
// read the file system; the folder may be on another host.
func (d *examination) space(check, path, name string) []Finding {
	var st unix.Statfs_t
	if err := d.Statfs(path, &st); err != nil || st.Blocks == 0 {
		return nil
	}
	blocks := percent(st.Bavail, st.Blocks-st.Bfree+st.Bavail)
	inodes := 100
	if st.Files > 0 { // some file systems do not count them
		inodes = percent(st.Ffree, st.Files)
	}
	left, free := min(blocks, inodes), int64(st.Bavail)*st.Bsize
	text := fmt.Sprintf("%d %% of the space and %d %% of the inodes of %s are free", blocks, inodes, name)
	if free < deploy.LowSpace {
		text += fmt.Sprintf(", only %s", source.Bytes(free))
	}
	switch {
	case left < fullDisk || free < deploy.LeastSpace:
		return []Finding{wrong(check, HealthProblem, "dokku cleanup, docker builder prune", "%s", text)}
	case left < lowDisk || free < deploy.LowSpace:
		return []Finding{wrong(check, HealthWarning, "dokku cleanup, docker builder prune", "%s", text)}
	}
	return fine(check, "%s", text)
}

func percent(part, whole uint64) int {
	if whole == 0 {
		return 0
	}
	return int(float64(part) / float64(whole) * 100)
}
