package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/engine"
	"dokku/agent/store"
	"dokku/agent/text"
)

func (d *Examination) checkEngine(context.Context) []Finding {
	const check = "engine"
	i, err := d.engine()
	switch {
	case errors.Is(err, engine.ErrUnreachable), errors.Is(err, context.DeadlineExceeded):
		return []Finding{wrong(check, HealthProblem, service("start", "docker"), "%s", err)}
	case err != nil:
		return []Finding{wrong(check, HealthProblem, "mend the engine's settings in "+d.Server.Env.Store.Own("server.json"), "%s", err)}
	}
	return fine(check, "%s, API %s", i.Version, i.API)
}

func (d *Examination) checkNginx(context.Context) []Finding {
	const check = "nginx"
	c, err := d.condition()
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "%s", err)}
	}
	var list []Finding
	add := func(h Health, mend string, err error) {
		if err != nil {
			list = append(list, wrong(check, h, mend, "%s", err))
		}
	}
	add(HealthProblem, service("start", "nginx"), c.Down)
	add(HealthProblem, "./install.sh install", c.Foreign)
	add(HealthWarning, service("reload", "nginx"), c.Behind)
	add(HealthProblem, "remove the file that is named, then: dokku doctor --fix", c.Files)
	for _, err := range c.Rules {
		add(HealthProblem, "./install.sh install", err)
	}
	if c.Refused != nil {
		add(HealthProblem, "mend what it names, then: nginx -t", fmt.Errorf("refuses its configuration: %w", c.Refused))
	}
	if list == nil {
		return fine(check, "serves %s, its configuration is accepted", text.Plural(len(c.Apps), "app"))
	}
	return list
}

// checkAgent compares the file that the agent was started from with this one: an
// agent goes on with the program that it was started as.
func (d *Examination) checkAgent(context.Context) []Finding {
	const check = "agent"
	h, busy, _ := d.Server.Env.Store.Peek(store.AgentLock)
	if !busy {
		return []Finding{wrong(check, HealthProblem, service("start", "dokku-agent"),
			"the agent does not run: nothing that is interrupted is finished, and nothing that retires is stopped")}
	}
	running, err := os.Stat(fmt.Sprintf("/proc/%d/exe", h.PID))
	if err != nil {
		return fine(check, "runs as process %d (its program cannot be looked at)", h.PID)
	}
	if own, err := os.Stat(d.Server.Binary); err == nil && !os.SameFile(running, own) {
		return []Finding{wrong(check, HealthWarning, service("restart", "dokku-agent"),
			"process %d runs another program than %s: it was started before that was installed", h.PID, d.Server.Binary)}
	}
	return fine(check, "runs as process %d since %s, of this program", h.PID, h.Since.Format(time.RFC3339))
}

func (d *Examination) checkGit(ctx context.Context) []Finding {
	const check = "git"
	mend := "apt-get install git"
	out, err := exec.CommandContext(ctx, "git", "--version").Output()
	if err != nil {
		return []Finding{wrong(check, HealthProblem, mend, "cannot run git: %s", err)}
	}
	path, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err == nil {
		_, err = exec.LookPath(filepath.Join(strings.TrimSpace(string(path)), "git-receive-pack"))
	}
	if err != nil {
		return []Finding{wrong(check, HealthProblem, mend, "git has no receive-pack, which takes pushes: %s", err)}
	}
	return fine(check, "%s", strings.TrimPrefix(strings.TrimSpace(string(out)), "git version "))
}

// What is left of a disk at which it is time to worry, in percent.
const (
	lowDisk  = 10
	fullDisk = 2
)

func (d *Examination) checkDisk(context.Context) []Finding {
	list := d.space("disk", d.Server.Env.Store.Root, d.Server.Env.Store.Root)
	if i, err := d.engine(); err == nil && i.DataRoot != "" {
		list = append(list, d.space("disk of the engine", i.DataRoot, i.DataRoot)...)
	}
	return list
}

// space looks at what is left for a plain user where path is. A folder that
// cannot be looked at, on another host perhaps, has no finding.
func (d *Examination) space(check, path, name string) []Finding {
	var st unix.Statfs_t
	if err := d.Statfs(path, &st); err != nil || st.Blocks == 0 {
		return nil
	}
	blocks := percent(st.Bavail, st.Blocks-st.Bfree+st.Bavail)
	inodes := 100
	if st.Files > 0 { // some file systems do not count them
		inodes = percent(st.Ffree, st.Files)
	}
	left := min(blocks, inodes)
	text := fmt.Sprintf("%d %% of the space and %d %% of the inodes of %s are free", blocks, inodes, name)
	switch {
	case left < fullDisk:
		return []Finding{wrong(check, HealthProblem, "dokku cleanup, docker builder prune", "%s", text)}
	case left < lowDisk:
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
