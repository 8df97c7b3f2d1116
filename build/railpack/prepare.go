package railpack

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"

	"dokku/build"
	"dokku/build/container"
	"dokku/build/source"
)

// Files and folders of the container.
const (
	dirSource = "/tmp/app"
	dirTool   = "/tmp/dokku"
	filePlan  = "railpack-plan.json"
	maxPlan   = 8 << 20
	// maxPids is the number of processes and threads of the tool.
	maxPids = 1024
)

// plan is what `railpack prepare` makes, as far as it is needed here.
type plan struct {
	content []byte
	version string // of the tool: "0.9.1"
	Deploy  struct {
		StartCommand string `json:"startCommand"`
	} `json:"deploy"`
}

// tag is that of the frontend for the plan.
func (p plan) tag() string {
	if p.version == "" {
		return "latest"
	}
	return "v" + p.version
}

// prepare runs the tool on the revision, in a container.
func (b *Builder) prepare(ctx context.Context, r build.Request, path string) (p plan, err error) {
	tree, err := r.Source.Tree(ctx, r.Commit, source.DefaultLimits)
	if err != nil {
		return p, err
	}
	if p.version, err = version(ctx, path); err != nil {
		return p, err
	}
	image, err := b.config.Steps.Image(ctx, b.config.Image, r.Registries, nil)
	if err != nil {
		return p, fmt.Errorf("cannot build %s with railpack: %w", r.Commit.Short, err)
	}
	command := []string{dirTool + "/" + program, "prepare", dirSource, "--plan-out", dirTool + "/" + filePlan}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(r.Env)) {
		command = append(command, "--env", name) // the tool takes the value from its own environment
		env = append(env, name+"="+r.Env[name])
	}
	c, err := b.config.Steps.Create(ctx, container.Spec{Name: r.App + ".build.railpack", Image: image, Entrypoint: command[:1], Command: command[1:], Env: env,
		Labels: r.Labels, Network: r.Network, Scratch: []string{dirSource, dirTool}, Limits: container.Limits{Memory: r.Limits.Memory, Pids: maxPids}})
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, c.Remove()) }()
	if err := send(ctx, c, r, tree, path); err != nil {
		return p, err
	}
	end, err := c.Run(ctx, "railpack prepare", silent)
	if err != nil {
		return p, fmt.Errorf("cannot build %s: %w", r.Commit.Short, err)
	}
	if end.ExitCode != 0 {
		return p, &build.Error{Commit: r.Commit.Short, Output: end.Output,
			Reason: fmt.Sprintf("railpack cannot plan the build (exit code %d): %s", end.ExitCode, lastLine(end.Output))}
	}
	return p, p.read(ctx, c)
}

// silent prints nothing: the plan is printed as the steps that BuildKit runs, and the
// tool's output is in the error of one that fails.
func silent(build.Line) {}

// lastLine is what a program said last.
func lastLine(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return "it printed nothing"
}

// version asks the tool for its version, of which the frontend has to be.
func version(ctx context.Context, path string) (string, error) {
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	words := strings.Fields(string(out))
	if err != nil || len(words) == 0 {
		return "", fmt.Errorf("cannot use %s: --version prints %q (%v); install railpack again", path, out, err)
	}
	return strings.TrimPrefix(words[len(words)-1], "v"), nil
}

// send copies the revision and the tool into the container.
func send(ctx context.Context, c *container.Container, r build.Request, tree *source.Tree, path string) error {
	err := c.CopyIn(ctx, dirSource, func(w *tar.Writer) error {
		err := r.Source.Archive(ctx, tree, source.Owner{ModTime: r.Commit.Time}, w)
		if err == nil {
			err = writeConfig(w, r)
		}
		return err
	})
	if err == nil {
		err = c.CopyIn(ctx, dirTool, func(w *tar.Writer) error { return writeTool(w, path) })
	}
	if err != nil {
		return fmt.Errorf("cannot build %s: %w", r.Commit.Short, err)
	}
	return nil
}

// writeConfig writes a railpack.json from another path to where the tool looks for it. Without
// one there, the tool finds none.
func writeConfig(w *tar.Writer, r build.Request) error {
	if configPath(r) == fileConfig {
		return nil
	}
	data, found, err := r.Source.Read(r.Commit, configPath(r), maxConfig)
	if err != nil {
		return err
	}
	if !found {
		data = []byte("{}")
	}
	err = w.WriteHeader(&tar.Header{Name: fileConfig, Mode: 0o644, Size: int64(len(data)), ModTime: r.Commit.Time})
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

func writeTool(w *tar.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil {
		err = w.WriteHeader(&tar.Header{Name: program, Mode: 0o755, Size: info.Size(), ModTime: info.ModTime()})
	}
	if err == nil {
		_, err = io.Copy(w, f)
	}
	return err
}

// read reads the plan that the tool has written.
func (p *plan) read(ctx context.Context, c *container.Container) error {
	err := c.CopyOut(ctx, dirTool+"/"+filePlan, func(r *tar.Reader) error {
		_, err := r.Next()
		if err == nil {
			p.content, err = io.ReadAll(io.LimitReader(r, maxPlan))
		}
		return err
	})
	if err == nil {
		err = json.Unmarshal(p.content, p)
	}
	if err != nil {
		return fmt.Errorf("cannot read railpack's plan: %w", err)
	}
	p.Deploy.StartCommand = strings.Join(strings.Fields(p.Deploy.StartCommand), " ")
	return nil
}

// hash changes with the values of variables.
func hash(env map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(h, "%q=%q\n", name, env[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}
