package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// restartAfter is how long a daemon that has ended is left alone.
	restartAfter = time.Second
	// settingsEvery is how often the settings are looked at, and rulesEvery the host's rules:
	// a firewall that is loaded again removes those.
	settingsEvery = 5 * time.Second
	rulesEvery    = 30 * time.Second
	// stopWait is how long the daemon may take to end.
	stopWait = 10 * time.Second
)

// Service is a daemon with what it takes to run it.
type Service struct {
	// Config reads the settings. It is asked at each start, and while no build runs.
	Config func() (Config, error)
	// Enter are the words of the command line, after the program itself, with which this
	// program calls Enter.
	Enter []string
	// Log is called with what an administrator should know.
	Log func(format string, args ...any)
}

// Serve runs the daemon until ctx is done, and starts it again when it ends. Only root may
// call it. Nothing of it is left afterwards but its state.
func (s Service) Serve(ctx context.Context) error {
	for {
		c, err := s.Config()
		if err == nil {
			err = c.check()
		}
		if err == nil {
			err = s.run(ctx, c)
		}
		if ctx.Err() != nil {
			return nil
		}
		s.Log("the builder ended: %v", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(restartAfter):
		}
	}
}

// errChanged ends a daemon whose settings have changed.
var errChanged = errors.New("its settings have changed")

// run starts the daemon once and returns when it has ended.
func (s Service) run(ctx context.Context, c Config) (err error) {
	// The daemon is killed with the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	names, err := c.prepare()
	if err != nil {
		return err
	}
	group := c.cgroup()
	if err := group.limit(c.Settings); err != nil {
		return errors.Join(err, group.remove())
	}
	defer func() { err = errors.Join(err, group.remove()) }()
	rules := c.rules(names)
	defer remove(rules)
	own, err := hostAddresses(c)
	if err != nil {
		return err
	}
	started, start, err := os.Pipe()
	if err != nil {
		return err
	}
	defer start.Close()
	cmd := s.command(c, started)
	err = cmd.Start()
	started.Close()
	if err != nil {
		return fmt.Errorf("cannot start the builder: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err = func() error {
		if err := group.enter(cmd.Process.Pid); err != nil {
			return err
		}
		if err := c.connect(cmd.Process.Pid); err != nil {
			return err
		}
		return ensure(rules)
	}()
	if err == nil {
		err = json.NewEncoder(start).Encode(entering{Config: c, Filter: c.filter(names, own)})
	}
	start.Close()
	if err != nil {
		cmd.Process.Kill()
		return errors.Join(err, <-ended)
	}
	return s.watch(ctx, c, rules, cmd, ended)
}

// watch keeps the host's rules, and ends the daemon with ctx or for other settings.
func (s Service) watch(ctx context.Context, c Config, rules []rule, cmd *exec.Cmd, ended <-chan error) error {
	tick, look, share := time.NewTicker(settingsEvery), time.NewTicker(rulesEvery), time.NewTicker(yieldEvery)
	defer tick.Stop()
	defer look.Stop()
	defer share.Stop()
	y := yielder{group: c.cgroup()}
	if err := y.look(); err != nil {
		s.Log("builds get the share of their weight at all times: %v", err)
		share.Stop()
	}
	c.note(nil)
	stop := func(why error) error {
		cmd.Process.Signal(unix.SIGTERM)
		select {
		case <-ended:
		case <-time.After(stopWait):
			cmd.Process.Kill() // as init of its namespace: no process of it is left
			<-ended
		}
		return why
	}
	for {
		select {
		case err := <-ended:
			if err == nil {
				err = errors.New("exit status 0")
			}
			return err
		case <-ctx.Done():
			return stop(ctx.Err())
		case <-look.C:
			err := ensure(rules)
			if err != nil {
				s.Log("%v", err)
			}
			c.note(err)
		case <-share.C:
			if err := y.look(); err != nil {
				s.Log("cannot change the share of builds: %v", err)
			}
		case <-tick.C:
			if now, err := s.Config(); err == nil && now.check() == nil && now.differs(c) {
				unlock, idle := c.idle()
				if idle {
					defer unlock()
					return stop(errChanged)
				}
			}
		}
	}
}

// differs reports whether a daemon with this configuration has to start again.
func (c Config) differs(other Config) bool {
	one, _ := json.Marshal(c)
	two, _ := json.Marshal(other)
	return string(one) != string(two)
}

// lockFile is locked, shared, while a build runs.
const lockFile = "building"

// Building tells a daemon, by the path of its socket, that a build runs until release is
// called: it does not start again meanwhile. It waits for a daemon that is starting again.
func Building(socket string) (release func(), err error) {
	f, err := os.Open(filepath.Join(filepath.Dir(socket), lockFile))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// idle locks out builds, unless one runs.
func (c Config) idle() (unlock func(), ok bool) {
	f, err := os.Open(filepath.Join(c.Run, lockFile))
	if err != nil {
		return func() {}, true
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		f.Close()
		return nil, false
	}
	return func() { f.Close() }, true
}

// command is the daemon, in namespaces of its own.
func (s Service) command(c Config, start *os.File) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", s.Enter...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = start, os.Stdout, os.Stderr
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + path, "HOME=" + c.State}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"} {
		for _, name := range []string{name, strings.ToLower(name)} {
			if v := os.Getenv(name); v != "" {
				cmd.Env = append(cmd.Env, name+"="+v)
			}
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL,
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS}
	return cmd
}

// prepare writes the daemon's files, and returns the servers of DNS that builds ask.
func (c Config) prepare() (names []netip.Addr, err error) {
	if err := os.MkdirAll(c.State, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(c.State, 0o700); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Run, 0o750); err != nil {
		return nil, err
	}
	if err := errors.Join(os.Chown(c.Run, 0, c.GID), os.Chmod(c.Run, 0o750)); err != nil {
		return nil, err
	}
	// A socket that nobody serves would make a build wait for its answer.
	os.Remove(c.socket())
	lock := filepath.Join(c.Run, lockFile)
	f, err := os.OpenFile(lock, os.O_CREATE|os.O_RDONLY, 0o640)
	if err != nil {
		return nil, err
	}
	f.Close()
	if err := errors.Join(os.Chown(lock, 0, c.GID), os.Chmod(lock, 0o640)); err != nil {
		return nil, err
	}
	resolv, names := resolvers(readFile("/etc/resolv.conf"), readFile("/run/systemd/resolve/resolv.conf"))
	// Addresses of steps that a killed daemon has left in its list.
	if err := os.RemoveAll(c.file("addresses")); err != nil {
		return nil, err
	}
	for name, text := range map[string]string{"buildkitd.toml": c.toml(), "network.json": c.cni(), "resolv.conf": resolv} {
		if err := os.WriteFile(c.file(name), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	return names, os.Chmod(c.file("resolv.conf"), 0o644)
}

func readFile(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}
