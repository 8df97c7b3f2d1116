package hooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/agent/keys"
	"dokku/agent/proc"
)

// Shell is the forced command of a key. It runs the git service or dokku command that
// the client asked for, as far as the key's rights go, and returns the exit code. It replaces
// the environment of this process (see cleanEnvironment).
func Shell(ctx context.Context, env Env) int {
	line := env.Getenv("SSH_ORIGINAL_COMMAND")
	if err := cleanEnvironment(env); err != nil {
		return cli.Report(ctx, event.Screen(env.Stderr), err)
	}
	access := &keys.Access{Key: env.Key}
	began := time.Now()
	code := shell(ctx, env, access, line)
	audit(env, access, began, code)
	return code
}

// shell runs the command of a client.
func shell(ctx context.Context, env Env, access *keys.Access, line string) int {
	req, err := parseRequest(line, env.Root)
	if err == nil {
		err = failpoint.Reach(failpoint.CommandParsed)
	}
	if err == nil {
		err = admit(env, access, req)
	}
	if err != nil {
		access.Refused = true
		return cli.Report(ctx, event.Screen(env.Stderr), err)
	}
	switch {
	case req.service == "receive-pack":
		return receivePack(ctx, env, req.app)
	case req.service != "":
		code, err := serve(ctx, env, req)
		if err != nil {
			code = cli.Report(ctx, event.Screen(env.Stderr), err)
		}
		return code
	case len(req.args) == 0:
		return env.Run(ctx, access, []string{"help"})
	}
	return env.Run(ctx, access, req.args)
}

// admit reads the key's rights, which end with its expiry, and asks them about a git service.
// Dokku commands ask them by themselves (cli.Spec.Role).
func admit(env Env, access *keys.Access, req request) (err error) {
	if req.service != "" {
		access.Command, access.App = "git-"+req.service, req.app
	}
	if access.Grant, err = keys.ParseGrant(env.Rights); err != nil {
		access.Grant = keys.Grant{}
		return access.Refuse("The key %s may do nothing: its rights in authorized_keys cannot be read: %s (an admin can set them with ssh-keys:set %[1]s --role ROLE)", env.Key, err)
	}
	if err := access.Expired(time.Now()); err != nil {
		return err
	}
	if req.service != "" && !access.Uses(req.app) {
		return access.NoApp(req.app)
	}
	if req.service == "receive-pack" && !access.Admin() {
		return newName(env, access, req.app)
	}
	return nil
}

// newName refuses a push that would make an app whose own name is a domain of others: an app
// with a dot in its name answers to it.
func newName(env Env, access *keys.Access, name string) error {
	srv, err := env.Open(env.Root)
	if err != nil {
		return err
	}
	var none *app.NoAppError
	if _, err := srv.Load(name); !errors.As(err, &none) || !strings.Contains(name, ".") {
		return nil // the push tells what else is wrong
	}
	if r, err := srv.Reserved(name, name); err != nil || r.Exists() {
		return errors.Join(err, access.Refuse("The key %s may not make the app %s: %s (an admin may)", access.Key, name, r.Why(access.Uses)))
	}
	return nil
}

// audit writes a line about a client's command into the host's log: who, what it was about
// and what became of it. The command's words are not in it, since they may be secrets.
func audit(env Env, access *keys.Access, began time.Time, code int) {
	if k, err := keys.Find(env.Root, env.Key); err == nil && k != nil {
		access.Fingerprint = k.Fingerprint
	}
	values := map[string]any{"key": access.Key, "fingerprint": access.Fingerprint, "role": access.Grant.Role,
		"command": cmp.Or(access.Command, "unknown"), "outcome": "accepted",
		"exit": code, "duration": time.Since(began).Round(time.Millisecond).String()}
	if access.App != "" && app.ValidName(access.App) == nil {
		values["app"] = access.App
	}
	if access.Refused {
		values["outcome"] = "refused"
	}
	event.New(event.NewHost(filepath.Join(env.Root, ".dokku", "log", "dokku.log"))).Record("ssh", values)
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
