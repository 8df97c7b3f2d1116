package remote

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dokku/agent/event"
	"dokku/agent/repo"
	"dokku/build/source"
)

// Timeout bounds what is fetched from another server as a whole. A connection that sends
// less than stallBytes a second for stallSeconds is ended.
const (
	Timeout      = 15 * time.Minute
	stallSeconds = "60"
	stallBytes   = "1000"
)

// Git runs git on a repository of this server that fetches from another one. Neither files
// of the host nor variables of the caller change what it does, and nothing of the remote
// runs here: its hooks and its configuration are not a part of what git sends.
type Git struct {
	Dir  string // the repository
	Home string // the folder that has the credentials
	// Settings are further ones of git's, as key=value.
	Settings []string
	// Limit is that of a fetch: the size of the largest file that git may write. All that it
	// fetches is one file then.
	Limit Limit
	// Memory is how many bytes of private memory each git may have; 0: repo.DefaultMemory. Each
	// may compute for repo.MaxTime: a pack of some hundred bytes can hold an object of gigabytes.
	Memory int64
}

// Failure is the error of a git that failed. Text is git's own, printable, of several
// lines.
type Failure struct{ Text string }

func (f *Failure) Error() string { return f.Text }

// Has reports whether git's text has one of the phrases.
func (f *Failure) Has(phrases ...string) bool {
	for _, p := range phrases {
		if strings.Contains(f.Text, p) {
			return true
		}
	}
	return false
}

// Run runs git and returns its output. The error is a *Failure, a *LimitError, or the
// context's cause.
func (g Git) Run(ctx context.Context, args ...string) (string, error) {
	memory := cmp.Or(g.Memory, repo.DefaultMemory)
	command := []string{"prlimit", "--data=" + strconv.FormatInt(memory, 10), "--cpu=" + strconv.Itoa(int(repo.MaxTime/time.Second)) + ":"}
	settings := g.Settings
	limit := g.Limit.bytes()
	if limit > 0 {
		command = append(command, "--fsize="+strconv.FormatInt(limit, 10))
		settings = append([]string{"fetch.unpackLimit=1"}, settings...)
	}
	command = append(command, "git", "-C", g.Dir)
	for _, s := range append([]string{
		"core.hooksPath=/dev/null", "credential.helper=", "gc.auto=0", "maintenance.auto=false", "submodule.recurse=false",
		"fetch.fsckObjects=true", "transfer.fsckObjects=true", "http.lowSpeedLimit=" + stallBytes, "http.lowSpeedTime=" + stallSeconds,
	}, settings...) {
		command = append(command, "-c", s)
	}
	command = append(command, args...)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(append(Environment(g.Home), repo.FrugalEnv()...), "GIT_ALLOW_PROTOCOL="+protocols, "GIT_PROTOCOL_FROM_USER=0", "GIT_SSH_COMMAND="+sshCommand(g.Home))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	switch {
	case err == nil:
		return out.String(), nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case limit > 0 && full(g.Dir, limit):
		return "", g.Limit.reached(limit)
	}
	if err := exhausted(errs.String(), memory); err != nil {
		return "", err
	}
	return "", &Failure{said(errs.String(), err)}
}

// exhausted returns the error of a git that ended at its limit of memory or time, as its own words
// tell; nil: at neither. What the other server says comes with a prefix.
func exhausted(text string, memory int64) error {
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, "remote:"):
		case strings.Contains(line, "Out of memory"), strings.Contains(line, "Cannot allocate memory"), strings.Contains(line, "out of memory"):
			return &LimitError{fmt.Sprintf("git needs more memory for it than it may have (%s); run git -c core.bigFileThreshold=1m repack -adF in that repository, or to allow more: dokku git:set --global %s BYTES",
				source.Bytes(memory), repo.PropMemory)}
		case strings.Contains(line, "died of signal 24"): // SIGXCPU
			return &LimitError{fmt.Sprintf("git computed for it longer than it may (%s); run git repack -adF in that repository", repo.MaxTime)}
		}
	}
	return nil
}

// FetchArgs are the words of git fetch before those that name what to fetch.
func FetchArgs(options ...string) []string {
	args := []string{"fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-gc"}
	return append(append(args, options...), "--")
}

// said returns git's own words.
func said(text string, err error) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = event.Printable(strings.TrimSpace(line)); line != "" && len(lines) < 8 {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return err.Error()
	}
	return strings.Join(lines, "\n")
}

// Advice tells what helps against a refusal by a host, on a line of its own; "": nothing
// is known.
func (f *Failure) Advice(host string) string {
	switch {
	case f.Has("Host key verification failed"):
		return "\nTo trust the server's key: dokku git:allow-host " + host
	case f.Has("Permission denied"):
		return "\nGive the server this key (dokku git:public-key), or make one first: dokku git:generate-deploy-key"
	case f.Has("could not read Username", "Authentication failed"):
		return "\nIf the repository is private: dokku git:auth " + host + " USER PASSWORD"
	}
	return ""
}

// sshCommand is the ssh of a fetch: it uses the server's key and knows the hosts of
// git:allow-host alone.
func sshCommand(home string) string {
	var words []string
	for _, w := range sshWords(home) {
		words = append(words, ShellWord(w))
	}
	return strings.Join(words, " ")
}

// sshWords is sshCommand as the words of a command line.
func sshWords(home string) []string {
	dir := filepath.Join(home, ".ssh")
	return []string{"ssh", "-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes",
		"-o", "UserKnownHostsFile=" + filepath.Join(dir, "known_hosts"), "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "IdentitiesOnly=yes", "-i", filepath.Join(dir, "id_ed25519"), "-i", filepath.Join(dir, "id_rsa"),
		"-o", "ConnectTimeout=20", "-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"}
}

// ShellWord quotes a word for /bin/sh.
func ShellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// CommitterEmail is that of the commits that commands of this server make, as in Dokku.
const CommitterEmail = "automated@dokku.sh"

// Environment is that of all gits that commands run: neither files of the host nor
// variables of the caller change what they do. home has the credentials.
func Environment(home string) []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=" + home,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", repo.NoReplace, "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "SSH_ASKPASS=",
		"GIT_COMMITTER_NAME=Dokku", "GIT_COMMITTER_EMAIL=" + CommitterEmail,
		"XDG_CONFIG_HOME=" + filepath.Join(home, ".config"),
	}
}
