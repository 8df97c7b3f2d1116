package hooks

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"

	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/agent/keys"
	"dokku/agent/proc"
)

// Shell is the forced command of a key. It runs the git service or dokku command that
// the client asked for and returns the exit code. It replaces the environment of this
// process (see cleanEnvironment).
func Shell(ctx context.Context, env Env) int {
	line := env.Getenv("SSH_ORIGINAL_COMMAND")
	if err := cleanEnvironment(env); err != nil {
		return cli.Report(ctx, event.Screen(env.Stderr), err)
	}
	req, err := parseRequest(line, env.Root)
	if err == nil {
		err = failpoint.Reach(failpoint.CommandParsed)
	}
	if err != nil {
		return cli.Report(ctx, event.Screen(env.Stderr), err)
	}
	switch {
	case req.service == "receive-pack":
		return receivePack(ctx, env, req.app)
	case req.service != "":
		return cli.Report(ctx, event.Screen(env.Stderr), serve(env, req))
	case len(req.args) == 0:
		return env.Run(ctx, []string{"help"})
	}
	return env.Run(ctx, req.args)
}

// serve replaces this process by git upload-pack or upload-archive. It returns only on
// failure.
func serve(env Env, req request) error {
	srv, err := env.Open(env.Root)
	if err != nil {
		return err
	}
	a, err := srv.Load(req.app)
	if err != nil {
		return err
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return fmt.Errorf("cannot serve git %s: %w: install git", req.service, err)
	}
	err = unix.Exec(git, []string{"git", req.service, a.Dir}, os.Environ())
	return fmt.Errorf("cannot run %s %s: %w", git, req.service, err)
}

// A client may set three variables of its environment: git's wire protocol (gitProtocol),
// the type of the terminal that enter and run write to (proc.TerminalType), and NO_COLOR.
var gitProtocol = regexp.MustCompile(`^version=[0-2]$`)

// cleanEnvironment builds the environment of this process and its children from
// nothing, so that neither the client (sshd's AcceptEnv) nor a file on the host can
// change it. The name of the key goes to git as the committer: its reflog shows it,
// and git needs no DNS query for the host's name.
func cleanEnvironment(env Env) error {
	root, err := filepath.Abs(env.Root)
	if err != nil || env.Root == "" {
		return fmt.Errorf("cannot find the apps: DOKKU_ROOT is not set: add the key again with ssh-keys:add")
	}
	if !keys.ValidName(env.Key) {
		return fmt.Errorf("cannot use %q as the name of a key: add the key again with ssh-keys:add", env.Key)
	}
	vars := map[string]string{
		"PATH":       "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG":       "C.UTF-8",
		"HOME":       root,
		"DOKKU_ROOT": root,

		proc.PersonVar:        env.Key,
		"GIT_COMMITTER_NAME":  env.Key,
		"GIT_COMMITTER_EMAIL": env.Key + "@dokku",
	}
	if u, err := user.Current(); err == nil {
		vars["HOME"], vars["USER"], vars["LOGNAME"] = u.HomeDir, u.Username, u.Username
	}
	if v := env.Getenv("GIT_PROTOCOL"); gitProtocol.MatchString(v) {
		vars["GIT_PROTOCOL"] = v
	}
	if v := remote(env, env.Getenv("SSH_CONNECTION")); v != "" {
		vars[event.RemoteVar] = v
	}
	if v := proc.TerminalType(env.Getenv("TERM")); v != "" {
		vars["TERM"] = v
	}
	if env.Getenv("NO_COLOR") != "" {
		vars["NO_COLOR"] = "1"
	}
	os.Clearenv()
	for name, value := range vars {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("cannot set %s: %w", name, err)
		}
	}
	return nil
}
