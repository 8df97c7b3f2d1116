package nginx

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dokku/agent/proxy"
)

// Examine implements [proxy.Examiner]. It tests the live files the way a deploy
// tests its own: under the lock, staged names the live tree for a moment. A crash
// leaves it so, and the next deploy stages anew. While a deploy holds the lock,
// Examine leaves that test out.
func (n *Proxy) Examine(ctx context.Context) proxy.Condition {
	var c proxy.Condition
	live, err := n.linked(liveLink)
	if errors.Is(err, syscall.EINVAL) { // a folder that the first deploy replaces
		live, err = "", nil
	}
	if c.Files = err; err == nil && live != "" {
		c.Apps, c.Files = n.examineTree(live)
	}
	n.examineServing(ctx, &c, live)
	c.Few = n.examineConnections()
	for _, argv := range [][]string{n.config.Check, n.config.Reload} {
		if err := n.runnable(ctx, argv); err != nil {
			c.Rules = append(c.Rules, err)
		}
	}
	if len(c.Rules) == 0 && c.Files == nil && live != "" {
		c.Refused = n.examineConfiguration(ctx)
	}
	return c
}

func (n *Proxy) examineServing(ctx context.Context, c *proxy.Condition, live string) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	a, err := n.ask(ctx)
	switch {
	case errors.Is(err, errRefused) && live == "" && running(): // the first route makes it listen
	case errors.Is(err, errRefused):
		c.Down = fmt.Errorf("nothing listens on port %d", n.config.Port)
	case err != nil:
		c.Foreign = err
	case live == "" || a.generation == live:
	case a.generation == "":
		c.Foreign = fmt.Errorf("what listens on port %d does not serve the files of %s: nginx does not include them, or was not told since",
			n.config.Port, filepath.Join(n.dir, liveLink))
	default:
		c.Behind = fmt.Errorf("nginx serves older files than those of %s", filepath.Join(n.dir, liveLink))
	}
}

// examineTree reads a tree as every deploy does.
func (n *Proxy) examineTree(generation string) (apps []string, err error) {
	entries, err := os.ReadDir(n.tree(generation))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s names the files %s, which are gone", filepath.Join(n.dir, liveLink), generation)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the live nginx files: %w", err)
	}
	if !n.has(generation, serverFile) {
		err = fmt.Errorf("%s is missing", n.tree(generation, serverFile))
	}
	for _, e := range entries {
		app, ok := appOf(e.Name())
		if !ok {
			continue
		}
		apps = append(apps, app)
		file, failed := os.ReadFile(n.tree(generation, e.Name()))
		if failed == nil {
			_, failed = parseApp(app, file)
		}
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("cannot read the route of %s (%s): %w", app, filepath.Join(n.dir, liveLink, e.Name()), failed))
		}
	}
	return apps, err
}

// runnable reports whether a command can be run, without running it: sudo says
// whether a rule allows exactly this one.
func (n *Proxy) runnable(ctx context.Context, argv []string) error {
	if len(argv) == 0 {
		return errors.New("the nginx command is not configured")
	}
	if argv[0] == "sudo" {
		at := slices.IndexFunc(argv[1:], func(a string) bool { return !strings.HasPrefix(a, "-") }) + 1
		if _, err := n.run(ctx, append([]string{"sudo", "-n", "-l"}, argv[at:]...)); err != nil {
			return fmt.Errorf("sudo does not allow %s: %w", strings.Join(argv[at:], " "), err)
		}
	} else if _, err := exec.LookPath(argv[0]); err != nil {
		return fmt.Errorf("cannot run %s: %w", strings.Join(argv, " "), err)
	}
	for _, arg := range argv {
		if _, err := os.Stat(arg); filepath.IsAbs(arg) && errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is missing", arg)
		}
	}
	return nil
}

// Configuration implements [proxy.Inspector].
func (n *Proxy) Configuration(ctx context.Context, app string) (string, bool, error) {
	_, ok, err := n.Live(ctx, app)
	if err != nil || !ok {
		return "", false, err
	}
	generation, err := n.liveGeneration(ctx)
	if err != nil {
		return "", false, err
	}
	file, err := os.ReadFile(n.tree(generation, app+".conf"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil // withdrawn meanwhile
	}
	return string(file), err == nil, err
}

// Validate implements [proxy.Inspector].
func (n *Proxy) Validate(ctx context.Context) error { return n.validate(ctx, ctx) }

// examineConfiguration is Validate, unless a deploy is testing right now.
func (n *Proxy) examineConfiguration(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := n.validate(ctx, wait)
	if wait.Err() != nil && ctx.Err() == nil && errors.Is(err, wait.Err()) {
		return nil
	}
	return err
}

// validate has nginx test its whole configuration with the live files. It waits for the
// lock until wait ends.
func (n *Proxy) validate(ctx, wait context.Context) error {
	unlock, err := n.lock(wait)
	if err != nil {
		return err
	}
	defer unlock()
	live, err := n.linked(liveLink)
	if err != nil {
		return err
	}
	staged, err := n.linked(stagedLink)
	if err != nil {
		return err
	}
	if live == "" {
		return nil
	}
	if err := n.point(stagedLink, live); err != nil {
		return fmt.Errorf("cannot stage nginx files: %w", err)
	}
	_, err = n.run(ctx, n.config.Check)
	if n.has(staged, serverFile) {
		err = errors.Join(err, n.point(stagedLink, staged))
	}
	return err
}

// fewConnections are so few for each worker that the requests of one address, up to the
// default of limit-conn, use them up: each has a connection to its process too. nginx's own number is 512, that of Debian 768.
const fewConnections = 4096

var workerConnections = regexp.MustCompile(`(?m)^[^#]*\bworker_connections\s+([0-9]{1,9})\s*;`)

// examineConnections reads nginx's main file. One that it cannot read, or that has the
// number in an included file, has no finding.
func (n *Proxy) examineConnections() error {
	text, err := os.ReadFile(n.config.Main)
	if err != nil {
		return nil
	}
	m := workerConnections.FindSubmatch(text)
	if m == nil {
		return nil
	}
	if count, err := strconv.Atoi(string(m[1])); err == nil && count < fewConnections {
		return fmt.Errorf("%s allows a worker %d connections", n.config.Main, count)
	}
	return nil
}
