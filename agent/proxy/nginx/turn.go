package nginx

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dokku/agent/disk"
	"dokku/agent/proxy"
)

// A call that finds the lock held leaves its change as a file waiting/ID.STATE. The
// holder of the lock may carry it out together with its own, and says so by the state.
const (
	waitingDir = "waiting"

	newState    = ".new"    // not complete yet
	wantedState = ".wanted" // may be taken, and be taken back
	takenState  = ".taken"  // nginx is being told
	doneState   = ".done"   // carried out
	aloneState  = ".alone"  // not carried out: its own call has to, together with no other
)

// maxPoll is how long a call that waits sleeps between two looks at most.
const maxPoll = 20 * time.Millisecond

// errLeft: a call that waited has gone away.
var errLeft = errors.New("a change that was to be carried out too is no longer wanted")

// A request is the content of such a file. The call that left it holds the file's lock:
// if nobody does, its process is dead.
type request struct {
	Op    string // "stage" or "publish"
	App   string
	Route *proxy.Route `json:",omitempty"`
	// Folders are those of the route's certificates and page, by their ids.
	Folders map[string]string `json:",omitempty"`
	// Users are those of the route's Auth.
	Users map[string]string `json:",omitempty"`
	// Form identifies the files that the call would write.
	Form string

	path string // without the state
}

// work carries out some changes in one step. It calls claim, unless that is nil, before it
// tells nginx, and ends if that fails.
type work func(ctx context.Context, changes []change, claim func() error) error

// together carries out a change under the lock, with those that other processes want
// meanwhile: one tree, one test, one reload, one proof. Where that fails, each goes alone,
// so that a bad change fails no other.
func (n *Proxy) together(ctx context.Context, op string, c change, do work) error {
	t, err := n.waitTurn(ctx, op, c)
	if err != nil || t.lock == nil {
		return err
	}
	defer t.lock.Close()
	if t.state == takenState {
		ctx = context.WithoutCancel(ctx) // its holder died, and may have told nginx
	}
	for range 3 { // calls may go away meanwhile
		others := n.waiting(op, c)
		if len(others) == 0 || t.state == aloneState || c.solitary() {
			break
		}
		changes := []change{c}
		for _, o := range others {
			changes = append(changes, change{o.App, o.Route})
		}
		err := do(ctx, changes, func() error { return n.claim(others) })
		switch {
		case err == nil:
			n.settle(others, doneState)
			return nil
		case ctx.Err() != nil:
			return err
		case !errors.Is(err, errLeft):
			n.settle(others, aloneState)
			t.state = aloneState
		}
	}
	return do(ctx, []change{c}, nil)
}

// solitary reports whether the change is carried out with no other: it changes more than
// one app's file.
func (c change) solitary() bool {
	return c.app == "" || c.route != nil && c.route.Replaces != ""
}

// A turn is a call's result of waiting.
type turn struct {
	lock  *os.File // nil: another process has carried the change out
	state string   // of the call's request, if it left one
}

// waitTurn waits until the call has the lock, or another process has carried out its
// change. Once another process tells nginx, a context that ends no longer stops it.
func (n *Proxy) waitTurn(ctx context.Context, op string, c change) (turn, error) {
	f, err := n.openLock()
	if err != nil {
		return turn{}, err
	}
	var left *leftRequest
	for wait := time.Millisecond; ; wait = min(2*wait, maxPoll) {
		free, err := disk.TryLock(f, disk.Exclusive)
		state := left.state()
		switch {
		case err != nil, state == doneState:
			f.Close()
			left.remove()
			if err != nil {
				err = notLocked(ctx, err)
			}
			return turn{}, err
		case free:
			left.remove()
			return turn{f, state}, nil
		case left == nil && !c.solitary():
			left = n.leave(op, c)
		}
		if pause(ctx, wait) != nil {
			if left.withdraw() {
				f.Close()
				left.remove()
				return turn{}, notLocked(ctx, ctx.Err())
			}
			ctx = context.WithoutCancel(ctx)
		}
	}
}

// A leftRequest is a call's own request. All methods may be called on nil: a call without
// one waits for its turn.
type leftRequest struct {
	disk disk.Disk
	path string // without the state
	file *os.File
}

// leave writes a call's request. It is never an error: without one the call only takes
// longer.
func (n *Proxy) leave(op string, c change) *leftRequest {
	r := request{Op: op, App: c.app, Route: c.route, Form: n.formOf(c), Folders: map[string]string{}}
	if c.route != nil {
		for _, cert := range c.route.Pairs() {
			r.Folders[cert.ID] = cert.Dir
		}
		if m := c.route.Maintenance; m != nil {
			r.Folders[m.Page.ID] = m.Page.Dir
		}
		if c.route.Auth != nil {
			r.Users = c.route.Auth.Users
		}
	}
	text, err := json.Marshal(r)
	if err != nil || n.disk.MkdirAll(filepath.Join(n.dir, waitingDir), 0o700) != nil {
		return nil
	}
	l := &leftRequest{disk: n.disk, path: filepath.Join(n.dir, waitingDir, strings.ToLower(rand.Text()))}
	if n.disk.Create(l.path+newState, text, 0o600) != nil {
		return nil
	}
	// Until it is locked, the holder of the other lock may remove it.
	locked := false
	if l.file, err = os.OpenFile(l.path+newState, os.O_RDWR, 0); err == nil {
		locked, err = disk.TryLock(l.file, disk.Exclusive)
	}
	if err != nil || !locked || n.disk.Rename(l.path+newState, l.path+wantedState) != nil {
		l.remove()
		return nil
	}
	return l
}

// state is the request's state; "" for none.
func (l *leftRequest) state() string {
	if l == nil {
		return ""
	}
	for _, state := range []string{wantedState, takenState, aloneState, doneState} {
		if _, err := os.Lstat(l.path + state); err == nil {
			return state
		}
	}
	return ""
}

// withdraw takes the request back. It returns false if that is too late.
func (l *leftRequest) withdraw() bool {
	return l == nil || l.disk.Remove(l.path+wantedState) == nil || l.state() == aloneState
}

func (l *leftRequest) remove() {
	if l == nil {
		return
	}
	for _, state := range []string{newState, wantedState, takenState, aloneState, doneState} {
		l.disk.Remove(l.path + state)
	}
	l.file.Close()
}

// formOf identifies the files that this process writes for a change. A process of another
// version, or with other settings, must not write them.
func (n *Proxy) formOf(c change) string {
	w := sha256.New()
	fmt.Fprintln(w, form(n.server()))
	if c.route != nil {
		w.Write(renderApp(*c.route, n.server()))
	}
	return fmt.Sprintf("%x", w.Sum(nil)[:8])
}

// waiting returns the requests that may be carried out together with a change, and removes
// those of dead processes. Only the holder of the lock calls it.
func (n *Proxy) waiting(op string, c change) []request {
	entries, err := os.ReadDir(filepath.Join(n.dir, waitingDir))
	if err != nil {
		return nil
	}
	var list []request
	apps := map[string]bool{c.app: true}
	for _, e := range entries {
		path := filepath.Join(n.dir, waitingDir, e.Name())
		if !alive(path) {
			n.disk.Remove(path)
			continue
		}
		path, wanted := strings.CutSuffix(path, wantedState)
		r, err := readRequest(path + wantedState)
		if wanted && err == nil && r.Op == op && !apps[r.App] && n.formOf(change{r.App, r.Route}) == r.Form {
			r.path, apps[r.App] = path, true
			list = append(list, r)
		}
	}
	return list
}

func readRequest(path string) (request, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return request{}, err
	}
	var r request
	if err := json.Unmarshal(text, &r); err != nil {
		return r, err
	}
	if r.Route == nil {
		return r, proxy.CheckApp(r.App)
	}
	for _, c := range r.Route.Pairs() {
		c.Dir = r.Folders[c.ID]
	}
	if m := r.Route.Maintenance; m != nil {
		m.Page.Dir = r.Folders[m.Page.ID]
	}
	if r.Route.Auth != nil {
		r.Route.Auth.Users = r.Users
	}
	route, err := r.Route.Checked()
	if err == nil && route.App != r.App {
		err = fmt.Errorf("a request of %.80q for %.80q", r.App, route.App)
	}
	r.Route = &route
	return r, err
}

// alive reports whether the process lives that left a request.
func alive(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) // it has just moved on
	}
	defer f.Close()
	free, err := disk.TryLock(f, disk.Shared)
	return err == nil && !free
}

// claim marks the requests as taken, which their calls cannot take back. If one of
// them is gone by then, it claims none and returns errLeft.
func (n *Proxy) claim(list []request) error {
	for i, r := range list {
		if alive(r.path+wantedState) && n.disk.Rename(r.path+wantedState, r.path+takenState) == nil {
			continue
		}
		for _, r := range slices.Backward(list[:i]) {
			n.disk.Rename(r.path+takenState, r.path+wantedState)
		}
		return errLeft
	}
	return nil
}

// settle tells the calls of the requests what has become of them.
func (n *Proxy) settle(list []request, state string) {
	for _, r := range list {
		if n.disk.Rename(r.path+takenState, r.path+state) != nil {
			n.disk.Rename(r.path+wantedState, r.path+state)
		}
	}
}
