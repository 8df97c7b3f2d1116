package command

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"dokku/agent/keys"
	"dokku/hooks/sshtest"
)

// A frontDoor is a real sshd in front of the program, with the apps of a fixture.
type frontDoor struct {
	*fixture
	bin    string
	dir    string
	server *sshtest.Server
}

func newFrontDoor(t *testing.T) *frontDoor {
	t.Helper()
	d := &frontDoor{fixture: newFixture(t)}
	dir, err := os.MkdirTemp("", "door") // short: a socket's path is at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	d.dir, d.bin = dir, filepath.Join(dir, "dokku")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", d.bin, "dokku").CombinedOutput(); err != nil {
		t.Fatalf("cannot build dokku: %s\n%s", err, out)
	}
	// Whatever a client sends is accepted: nothing of it may give it rights.
	d.server = sshtest.Start(t, dir, filepath.Join(d.root, ".ssh", "authorized_keys"), "AcceptEnv *", "MaxSessions 100", "SetEnv HOME="+d.root)
	return d
}

// local runs a command on the host itself.
func (d *frontDoor) local(args ...string) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), d.bin, args...)
	cmd.Env = append(os.Environ(), "DOKKU_ROOT="+d.root)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("dokku %q: %s\n%s", args, err, out)
	}
}

// key adds a key, and returns the ssh command of its client: all connections are sessions of one.
func (d *frontDoor) key(name string, rights ...string) []string {
	d.t.Helper()
	key := sshtest.Key(d.t, filepath.Join(d.dir, name))
	d.local(append([]string{"ssh-keys:add", name, key + ".pub"}, rights...)...)
	client := d.server.Client(key, "SendEnv=*", "ControlMaster=auto", "ControlPath="+filepath.Join(d.dir, name+".s"), "ControlPersist=20")
	d.t.Cleanup(func() {
		exec.Command(client[0], append(client[1:], "-O", "exit", d.server.Dest)...).Run()
	})
	return client
}

// over runs a command line over ssh.
func (d *frontDoor) over(client []string, line string, env ...string) result {
	d.t.Helper()
	if strings.HasPrefix(line, "-") {
		line = "dokku " + line // else ssh would take it for a flag
	}
	cmd := exec.CommandContext(d.t.Context(), client[0], append(client[1:len(client):len(client)], "-T", d.server.Dest, line)...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		d.t.Fatal(err)
	}
	return result{out.String(), hinted.ReplaceAllString(errs.String(), "dokku "), cmd.ProcessState.ExitCode()}
}

// hinted is how a client's person runs a command.
var hinted = regexp.MustCompile(`ssh -p [0-9]+ \S+ `)

// files is everything below the root but the host's log, which tells of each command.
func (d *frontDoor) files() string {
	d.t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == filepath.Join(d.root, ".dokku", "log") {
			return errors.Join(err, fs.SkipDir)
		}
		if e.Type().IsRegular() {
			data, err := os.ReadFile(path)
			fmt.Fprintf(&b, "%s %x\n", path, sha256.Sum256(data))
			return err
		}
		fmt.Fprintf(&b, "%s %s\n", path, e.Type())
		return nil
	})
	if err != nil && !errors.Is(err, fs.SkipDir) {
		d.t.Fatal(err)
	}
	return b.String()
}

// TestRolesOverSSH: as TestEveryCommandAsksTheKey, over a real sshd: a deployer's and an
// operator's key get one line for everything outside of their role, and the state stays the same
// byte for byte.
func TestRolesOverSSH(t *testing.T) {
	d := newFrontDoor(t)
	for role, rights := range map[keys.Role][]string{
		keys.Deployer: {"--role", "deployer", "--app", "hello"},
		keys.Operator: {"--role", "operator", "--app", "hello"},
	} {
		name := "key-" + string(role)
		client := d.key(name, rights...)
		g := keys.Grant{Role: role, Apps: []string{"hello"}}
		if role == keys.Operator {
			g.Services = serviceGrants()
			d.rewrite(name, "--role=operator --app=hello --service="+strings.Join(g.Services, " --service="))
		}
		if got := d.over(client, "--quiet apps:list"); got.stdout != "hello\n" || got.code != 0 {
			t.Fatalf("%+v", got)
		}
		before := d.files()
		var wait sync.WaitGroup
		slots := make(chan struct{}, 8)
		list := refusals(name, g, d.root)
		for _, r := range list {
			slots <- struct{}{}
			wait.Go(func() {
				defer func() { <-slots }()
				if got := d.over(client, r.line); got != (result{stderr: r.want, code: 1}) {
					t.Errorf("%s: %s\ngot  %+v\nwant %q", role, r.line, got, r.want)
				}
			})
		}
		wait.Wait()
		if d.files() != before {
			t.Errorf("what a key of %s was refused has changed something", role)
		}
		d.logged(name, role, len(list))
	}
}

// logged checks that the host's log has a line for each command of a key that was refused.
func (d *frontDoor) logged(key string, role keys.Role, refused int) {
	d.t.Helper()
	data, err := os.ReadFile(filepath.Join(d.root, ".dokku", "log", "dokku.log"))
	if err != nil {
		d.t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		var e struct{ Message, Key, Fingerprint, Role, Command, Outcome, Duration string }
		if json.Unmarshal([]byte(line), &e) != nil || e.Message != "ssh" || e.Key != key || e.Outcome != "refused" {
			continue
		}
		if n++; e.Role != string(role) || !strings.HasPrefix(e.Fingerprint, "SHA256:") || e.Command == "" || e.Command == "unknown" || e.Duration == "" {
			d.t.Errorf("%s", line)
		}
	}
	if n != refused {
		d.t.Errorf("the log has %d refused commands of %s, want %d", n, key, refused)
	}
}

// hostile are command lines of the key ci, a deployer's for hello and new, and the line that each
// gets.
func (d *frontDoor) hostile() map[string]string {
	no := func(app string) string { return " !     The key ci may not " + noApp(app, "ci") }
	role := func(name string) string {
		return " !     The key ci may not run " + name + ": it needs an operator's key, and this is a deployer's (dokku help shows what it may run)\n"
	}
	admin := func(name string) string { return strings.Replace(role(name), "an operator's", "an admin's", 1) }
	unknown := func(word string) string {
		return " !     `" + word + "` is not a dokku command.\n !     See `dokku help` for a list of available commands.\n"
	}
	return map[string]string{
		// Git's services, in all forms of a path.
		"git-receive-pack 'taken'":               no("taken"),
		"git receive-pack taken":                 no("taken"),
		"git-upload-pack '/taken'":               no("taken"),
		"git-upload-pack '~/taken.git'":          no("taken"),
		"git-upload-archive 'taken'":             " !     git archive --remote is not served here; clone the app and run git archive in the clone\n",
		"git-upload-pack '" + d.root + "/taken'": no("taken"),
		"git-upload-pack '//taken'":              no("taken"),
		"dokku git-receive-pack taken":           no("taken"),
		"git-receive-pack 'nosuch'":              no("nosuch"),
		"git-receive-pack 'hello' 'taken'":       " !     cannot run git receive-pack with 2 arguments: give the name of one app\n",
		"git-upload-pack --strict taken":         " !     cannot run git upload-pack with 2 arguments: give the name of one app\n",
		"git daemon --export-all":                " !     cannot run git \"daemon\" here: only receive-pack and upload-pack are allowed\n",
		"git-upload-pack 'hello/../taken'":       d.invalid("hello/../taken"),
		"git-upload-pack '../taken'":             d.invalid("../taken"),
		"git-upload-pack .dokku":                 d.invalid(".dokku"),
		// Other apps, and other ways to name them.
		"logs taken":                       no("taken"),
		"--app taken logs":                 no("taken"),
		"--app=taken logs":                 no("taken"),
		"logs --app taken":                 no("taken"),
		"logs hello --app taken":           no("taken"),
		"--app taken ps:report":            no("taken"),
		"ps:report hello --app taken":      " !     Unexpected argument \"hello\"\n !     Usage: dokku ps:report [APP]\n",
		"ps:report taken --running":        no("taken"),
		"ps:report --global":               " !     The key ci may not run ps:report for the whole server: name one of its apps\n",
		"ps:report --global --format json": " !     The key ci may not run ps:report for the whole server: name one of its apps\n",
		"config:keys --global":             " !     The key ci may not use --global: it needs an admin's key, and this is a deployer's\n",
		"config:keys --global=true":        " !     The key ci may not use --global: it needs an admin's key, and this is a deployer's\n",
		"--global config:keys":             " !     The key ci may not use --global: it needs an admin's key, and this is a deployer's\n",
		"logs:failed --all":                " !     The key ci may not use --all: it needs an admin's key, and this is a deployer's\n",
		"logs:failed":                      " !     The key ci may not run logs:failed for the whole server: name one of its apps\n",
		"builds:list":                      " !     The key ci may not run builds:list for the whole server: name one of its apps\n",
		"logs HELLO":                       no("HELLO"),
		"logs hello/../taken":              no("hello/../taken"),
		"'logs' \"taken\"":                 no("taken"),
		`lo\gs ta\ken`:                     no("taken"),
		"dokku logs taken":                 no("taken"),
		// More than its role.
		"ps:scale hello web=9":                    role("ps:scale"),
		"run hello cat /etc/passwd":               role("run"),
		"enter hello":                             role("enter"),
		"config:set hello A=b":                    role("config:set"),
		"--force apps:destroy hello":              role("apps:destroy"),
		"ssh-keys:set ci --role admin":            admin("ssh-keys:set"),
		"ssh-keys:add evil --role admin":          admin("ssh-keys:add"),
		"acl:add taken ci":                        admin("acl:add"),
		"backup":                                  admin("backup"),
		"restore":                                 admin("restore"),
		"storage:mount hello /:/host":             admin("storage:mount"),
		"git:from-image hello dokku/taken:latest": admin("git:from-image"),
		"plugin:trigger service-list":             admin("plugin:trigger"),
		"trace:on":                                admin("trace:on"),
		"__complete logs ''":                      " !     The key ci may not complete words: it needs an admin's key, and this is a deployer's\n",
		"__completeNoDesc config:get hello ''":    " !     The key ci may not complete words: it needs an admin's key, and this is a deployer's\n",
		// Words that mean something to a shell, or to the forced command, mean nothing here.
		"logs hello; ssh-keys:list":     no("hello;"),
		"logs $(id)":                    no("$(id)"),
		"shell ci --role=admin":         unknown("shell"),
		"receive-pack taken":            unknown("receive-pack"),
		"detached-push taken":           unknown("detached-push"),
		"install:changes":               unknown("install:changes"),
		"agent":                         unknown("agent"),
		"DOKKU_USER=root ssh-keys:list": unknown("DOKKU_USER=root"),
		"front-door-serve":              unknown("front-door-serve"),
	}
}

// TestHostileKeys: what a client with a key for one app tries to get more with: other forms of
// names, variables of its environment, and what git and the shell would understand.
func TestHostileKeys(t *testing.T) {
	d := newFrontDoor(t)
	ci := d.key("ci", "--role", "deployer", "--app", "hello", "--app", "new")
	before := d.files()
	for line, want := range d.hostile() {
		got := d.over(ci, line, "DOKKU_USER=root", "DOKKU_ROOT=/", "NAME=root", "FINGERPRINT=SHA256:x", "SUDO_USER=root", "DOKKU_SUPER_USER=ci", "DOKKU_ACL_ALLOW_COMMAND_LINE=1", "SSH_NAME=root")
		if first, _, _ := strings.Cut(got.stderr, "\n !     Did you mean"); got.code != 1 || got.stdout != "" || strings.TrimSuffix(first, "\n") != strings.TrimSuffix(want, "\n") {
			t.Errorf("%s\ngot  %+v\nwant %q", line, got, want)
		}
	}
	if d.files() != before {
		t.Error("a hostile command line has changed something")
	}
	// An expired key, one whose rights nobody can read, and one without any.
	for name, words := range map[string]string{
		"expired at 2020-01-01T00:00:00Z (an admin can renew it with ssh-keys:set ci --expires 30d)":                                                                                     "--role=admin --expires=2020-01-01T00:00:00Z",
		"may do nothing: its rights in authorized_keys cannot be read: this dokku does not know \"--root\" (an admin can set them with ssh-keys:set ci --role ROLE)":                     "--role=deployer --root",
		"may do nothing: its rights in authorized_keys cannot be read: \"root\" is not a role: use admin, operator or deployer (an admin can set them with ssh-keys:set ci --role ROLE)": "--role=root",
		"may do nothing: its rights in authorized_keys cannot be read: it has two roles (an admin can set them with ssh-keys:set ci --role ROLE)":                                        "--role=deployer --role=admin",
	} {
		d.rewrite("ci", words)
		for _, line := range []string{"apps:list", "help", "git-upload-pack 'hello'", "git-receive-pack 'hello'"} {
			if got := d.over(ci, line); got.code != 1 || got.stderr != " !     The key ci "+name+"\n" || got.stdout != "" {
				t.Errorf("%s of a key with %s: %+v\nwant %q", line, words, got, name)
			}
		}
	}
}

// invalid is what a name says that no app may have.
func (d *frontDoor) invalid(name string) string {
	d.t.Helper()
	return d.over(d.admin(), "apps:create "+name).stderr
}

// admin returns a client whose key may do everything.
func (d *frontDoor) admin() []string {
	if _, err := os.Stat(filepath.Join(d.dir, "root")); err == nil {
		return d.server.Client(filepath.Join(d.dir, "root"))
	}
	return d.key("root")
}

// rewrite gives a key other words in authorized_keys.
func (d *frontDoor) rewrite(name, words string) {
	d.t.Helper()
	path := filepath.Join(d.root, ".ssh", "authorized_keys")
	data, err := os.ReadFile(path)
	if err != nil {
		d.t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if before, rest, ok := strings.Cut(line, " shell "+name+" "); ok {
			_, after, _ := strings.Cut(rest, `",`)
			line = before + " shell " + name + " " + words + `",` + after
		}
		lines = append(lines, line)
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
		d.t.Fatal(err)
	}
	exec.Command("ssh", "-O", "exit", "-o", "ControlPath="+filepath.Join(d.dir, name+".s"), d.server.Dest).Run() // the next connection reads it
}
