package hooks

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"dokku/agent/app"
	"dokku/agent/cgroup"
	"dokku/agent/repo"
	"dokku/build/source"
)

// cgroupEnv names the tree of the cgroup that git is in, for its hooks.
const cgroupEnv = "DOKKU_CGROUP"

// bounds are those of the gits of one push or clone.
type bounds struct {
	memory int64         // bytes
	group  *cgroup.Group // nil: each git has a limit of its own
	tree   string
}

// newBounds makes a cgroup for gits where the server has one. The caller calls close.
func newBounds(set app.Settings) (*bounds, error) {
	n, err := set.GitLimit(repo.PropMemory, repo.DefaultMemory)
	if err != nil {
		return nil, err
	}
	b := &bounds{memory: n}
	if tree, err := cgroup.Open(set.Cgroup); err == nil {
		b.tree = tree.Name
		b.group, _ = tree.Group(n) // doctor says why there is none
	}
	return b, nil
}

// start starts a git in its own process group within the bounds. The kernel terminates it when the
// calling thread ends. The limits of this process end with that.
func (b *bounds) start(cmd *exec.Cmd) error {
	limit := b.memory
	if b.group != nil {
		cmd.Path, cmd.Args, cmd.Err = "/proc/self/exe", b.group.Command(cmd.Args...), nil
		cmd.Env = append(cmd.Env, cgroupEnv+"="+b.tree)
		limit = 0
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	err := repo.Limit(limit)
	if err == nil {
		err = cmd.Start()
	}
	repo.Unlimit()
	return err
}

// exceeded reports whether the kernel has ended a git for its memory.
func (b *bounds) exceeded() bool { return b.group != nil && b.group.OutOfMemory() }

// close removes the cgroup. git and its hooks have ended.
func (b *bounds) close() {
	if b.group != nil {
		b.group.Remove()
	}
}

// setMemory is the command that gives gits more memory.
const setMemory = "dokku git:set --global " + repo.PropMemory + " BYTES"

// tooLarge is the error of a push for which git needs more memory than so many bytes.
func tooLarge(name string, memory int64) error {
	return fmt.Errorf("cannot take this push to %s: git needs more memory for it than it may have (%s); a large file or very many objects may be the reason. "+
		"Run git -c core.bigFileThreshold=1m repack -adF in your repository and push again, or on the server: %s",
		name, source.Bytes(memory), setMemory)
}

// unbound gives a hook the limits of the system back: it deploys, which git's are not meant for.
func unbound(env Env) {
	repo.Unlimit()
	if name := env.Getenv(cgroupEnv); name != "" {
		if t, err := cgroup.Open(name); err == nil {
			_ = t.Leave() // else the bounds are those of git
		}
		os.Unsetenv(cgroupEnv)
	}
}
