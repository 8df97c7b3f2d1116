package acme

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-acme/lego/v5/challenge/dns01"
	legoexec "github.com/go-acme/lego/v5/providers/dns/exec"
)

// scriptLimit is how long one call of a script may take.
const scriptLimit = 2 * time.Minute

// script is lego's provider exec, but for the environment: lego's gives the script all
// that this process has, and none of the script's own settings.
type script struct {
	*legoexec.DNSProvider
	path string
	raw  bool
	env  []string
}

// newScript reads EXEC_PATH, EXEC_MODE and the times from the process's environment.
func newScript(env map[string]string) (*script, error) {
	p, err := legoexec.NewDNSProvider()
	if err != nil {
		return nil, err
	}
	return &script{DNSProvider: p, path: os.Getenv(legoexec.EnvPath), raw: os.Getenv(legoexec.EnvMode) == "RAW", env: childEnv(env)}, nil
}

// Present implements challenge.Provider.
func (s *script) Present(ctx context.Context, domain, token, keyAuth string) error {
	return s.run(ctx, "present", domain, token, keyAuth)
}

// CleanUp implements challenge.Provider.
func (s *script) CleanUp(ctx context.Context, domain, token, keyAuth string) error {
	return s.run(ctx, "cleanup", domain, token, keyAuth)
}

// run calls the script as lego does.
func (s *script) run(ctx context.Context, action, domain, token, keyAuth string) error {
	args := []string{action, "--", domain, token, keyAuth}
	if !s.raw {
		info := dns01.GetChallengeInfo(ctx, domain, keyAuth)
		args = []string{action, info.EffectiveFQDN, info.Value}
	}
	ctx, cancel := context.WithTimeout(ctx, scriptLimit)
	defer cancel()
	_, err := runTool(ctx, s.path, args, s.env)
	return err
}

// childEnv is the environment of a program: what every program needs, and the settings of
// the DNS provider.
func childEnv(settings map[string]string) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	for name, value := range settings {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env
}

// runTool runs a program, and kills it with its children when ctx ends. The error has
// the end of its output.
func runTool(ctx context.Context, path string, args, env []string) (output string, err error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	out := &tail{}
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	output = out.String()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // a child that goes on has the output
		return output, nil
	case ctx.Err() != nil:
		return output, context.Cause(ctx)
	case strings.TrimSpace(output) == "":
		return output, fmt.Errorf("%s: %w", path, err)
	}
	return output, fmt.Errorf("%s: %w: %s", path, err, lastLines(output))
}

// tail keeps the end of what is written to it.
type tail struct{ bytes.Buffer }

// maxOutput is how much of a program's output is kept, in bytes.
const maxOutput = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	if t.Len() > maxOutput {
		t.Next(t.Len() - maxOutput/2)
	}
	t.Buffer.Write(p[max(0, len(p)-maxOutput):])
	return len(p), nil
}

// lastLines is the end of an output, short enough that all of it fits into a Problem.
func lastLines(output string) string {
	const size = 300
	output = strings.TrimSpace(output)
	if len(output) > size {
		_, output, _ = strings.Cut(output[len(output)-size:], "\n")
	}
	return output
}
