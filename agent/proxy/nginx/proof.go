package nginx

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"dokku/agent/failpoint"
	"dokku/agent/proxy"
)

// quiet is how long fresh connections must reach the new generation alone when
// the old workers cannot be watched. nginx's master waits 100 ms between
// starting new workers and telling the old ones to stop accepting.
const quiet = 400 * time.Millisecond

// errRefused: nothing listens on nginx's port.
var errRefused = errors.New("connection refused")

// refusal is an error by which nginx goes on to serve what it does: it was not told
// anything, or refuses the files.
type refusal struct{ error }

func (n *Proxy) errDown() error {
	return fmt.Errorf("nginx is not running (nothing listens on 127.0.0.1:%d): start it with 'systemctl start nginx' or 'nginx'", n.config.Port)
}

// answer is nginx's answer to the question which generation serves; both are zero
// when it answers without knowing of one.
type answer struct {
	generation string
	worker     int
}

// ask opens a fresh connection to nginx and asks which generation answers it.
// It tries again for a while unless nginx is down or answers.
func (n *Proxy) ask(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, n.config.Timeout)
	defer cancel()
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		a, err := n.askOnce(ctx)
		if err == nil || errors.Is(err, errRefused) {
			return a, err
		}
		if pause(ctx, wait) != nil {
			return answer{}, fmt.Errorf("cannot ask nginx on 127.0.0.1:%d which configuration it serves: %w", n.config.Port, err)
		}
	}
}

func (n *Proxy) askOnce(ctx context.Context) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(n.config.Port))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/generation", nil)
	if err != nil {
		return answer{}, err
	}
	req.Host = proxy.ReservedDomain
	// Not a client of its own: no proxy of the environment, no redirects, and
	// a connection that lives for this one request.
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return answer{}, errRefused
	}
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 100))
	if err != nil {
		return answer{}, err
	}
	generation, pid, _ := strings.Cut(string(body), " ")
	worker, err := strconv.Atoi(pid)
	if resp.StatusCode != http.StatusOK || err != nil || !generationForm.MatchString(generation) {
		return answer{}, nil
	}
	return answer{generation: generation, worker: worker}, nil
}

// state is where a change starts.
type state struct {
	linked string // the tree that live names
	served string // the tree that nginx serves; "" for none of ours
	base   string // served, or linked where nothing is served
	worker int    // a process that serves it
	down   bool   // nothing listens on nginx's port
}

// observe looks at files and nginx. On the first call ever it makes a tree
// without apps, so that there always is one to go back to.
func (n *Proxy) observe(ctx context.Context) (state, error) {
	var s state
	linked, err := n.linked(liveLink)
	if err != nil && !errors.Is(err, syscall.EINVAL) { // a folder: point replaces it
		return s, err
	}
	if !n.has(linked, serverFile) {
		if linked, err = n.build(draft{}); err != nil {
			return s, err
		}
		if err := n.pointLive(linked); err != nil {
			return s, fmt.Errorf("cannot link the first nginx files: %w", err)
		}
	}
	s.linked, s.base = linked, linked
	a, err := n.ask(ctx)
	if errors.Is(err, errRefused) {
		s.down = true
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if n.has(a.generation, serverFile) {
		s.served, s.base, s.worker = a.generation, a.generation, a.worker
	}
	return s, nil
}

// switchTo makes nginx serve a tested tree. On error nginx serves the tree that it
// served before, except that a withdrawal stands when nginx turns out to be down.
func (n *Proxy) switchTo(ctx context.Context, generation string, now state, withdrawal bool) error {
	err := n.reloadTo(ctx, generation, now.worker)
	if err == nil {
		return nil
	}
	a, asked := n.ask(ctx)
	down := errors.Is(asked, errRefused)
	if down && withdrawal {
		return nil
	}
	if back := n.pointLive(now.base); back != nil {
		return fmt.Errorf("%w; and cannot put the previous nginx files back: %v", err, back)
	}
	switch {
	case down && !now.down: // it was up: see publish
		return n.errDown()
	case down:
		return err
	case errors.As(err, new(refusal)) && asked == nil && a.generation == now.served:
		return err
	}
	if back := n.reloadTo(ctx, now.base, a.worker); back != nil {
		return fmt.Errorf("%w; and nginx did not go back to the previous files either: %v", err, back)
	}
	return err
}

// reloadTo points live at a tree, reloads, and proves that it serves.
func (n *Proxy) reloadTo(ctx context.Context, generation string, worker int) error {
	if err := n.disk.Remove(n.tree(generation, provenMark)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return refusal{err}
	}
	if err := n.pointLive(generation); err != nil {
		return refusal{fmt.Errorf("cannot link nginx files: %w", err)}
	}
	if err := failpoint.Reach(failpoint.ProxyRenamed); err != nil {
		return refusal{err}
	}
	old, known := accepting(worker)
	if _, err := n.run(ctx, n.config.Reload); err != nil {
		err = fmt.Errorf("cannot reload nginx: %w", err)
		if exit := new(exec.ExitError); errors.As(err, &exit) && exit.Exited() {
			return refusal{err}
		}
		return err
	}
	if err := failpoint.Reach(failpoint.ProxyReloaded); err != nil {
		return err
	}
	if err := n.prove(ctx, generation, old, known); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.ProxyProven); err != nil {
		return err
	}
	return n.mark(generation, provenMark)
}

// prove waits until every connection that is opened from now on is answered by
// the generation: a fresh one was, after all workers that accepted before the
// reload have stopped accepting. After a third of the time it has nginx say whether it
// refuses the files: one that an admin included may have changed since they were tested.
func (n *Proxy) prove(ctx context.Context, generation string, old []int, known bool) error {
	ctx, cancel := context.WithTimeout(ctx, n.config.Timeout)
	defer cancel()
	var since time.Time // of an unbroken run of the right answer
	said := "nothing"
	doubt := time.Now().Add(n.config.Timeout / 3)
	for wait := time.Millisecond; ; wait = min(2*wait, 4*time.Millisecond) {
		stopped := known && allStopped(old)
		start := time.Now()
		a, err := n.askOnce(ctx)
		switch {
		case err != nil:
			since, said = time.Time{}, err.Error()
		case a.generation != generation:
			since, said = time.Time{}, "generation "+orElse(a.generation, "unknown")
		case stopped || !since.IsZero() && start.Sub(since) >= quiet && !known:
			return nil
		case since.IsZero():
			since, said = start, "the new generation, but not on all connections"
		}
		if !doubt.IsZero() && start.After(doubt) {
			doubt = time.Time{}
			if err := n.testAgain(ctx, generation); err != nil {
				return err
			}
		}
		if pause(ctx, wait) != nil {
			return fmt.Errorf("nginx does not serve its new configuration after %s (it answers %s): "+
				"look into /var/log/nginx/error.log, whether another program holds a port of nginx (ss -ltnp), and whether nginx includes %s/live/*.conf", n.config.Timeout, said, n.config.Dir)
		}
	}
}

// testAgain returns nginx's reason why it does not serve a generation, if it is the files.
func (n *Proxy) testAgain(ctx context.Context, generation string) error {
	staged, err := n.linked(stagedLink)
	if err != nil || staged != generation {
		return nil // the way back
	}
	if _, err = n.run(ctx, n.config.Check); err == nil || ctx.Err() != nil {
		return nil
	}
	return refusal{fmt.Errorf("cannot reload nginx: %w", err)}
}

const (
	masterTitle = "nginx: master process"
	workerTitle = "nginx: worker process"
)

// running reports whether an nginx runs.
func running() bool {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	return slices.ContainsFunc(processes, func(dir string) bool {
		pid, _ := strconv.Atoi(filepath.Base(dir))
		return strings.HasPrefix(title(pid), masterTitle)
	})
}

// accepting returns the given worker and its master's other children. They are
// not known where /proc hides other users' processes, or counts them otherwise
// than nginx does.
func accepting(worker int) (pids []int, known bool) {
	master, ok := parent(worker)
	if !ok || !strings.HasPrefix(title(worker), workerTitle) {
		return nil, false
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, false
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := parent(pid); ok && p == master {
			pids = append(pids, pid)
		}
	}
	return pids, true
}

// parent reads the fourth field of a process's stat. The second one, the name
// in parentheses, may hold anything.
func parent(pid int) (int, bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0, false
	}
	ppid, err := strconv.Atoi(fields[1])
	return ppid, err == nil
}

// allStopped tells whether none of the processes accepts connections. nginx
// gives a worker another title in the same step that closes its sockets.
func allStopped(pids []int) bool {
	for _, pid := range pids {
		t := title(pid)
		if strings.HasPrefix(t, workerTitle) && !strings.HasPrefix(t, workerTitle+" is shutting down") {
			return false
		}
	}
	return true
}

// title is a process's title as ps shows it; "" when it is gone.
func title(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(text)
}
