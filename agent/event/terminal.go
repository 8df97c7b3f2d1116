package event

import (
	"encoding/json"
	"io"
	"sync"
	"time"
)

// Limit is how many bytes of events a Terminal passes on; the deploy's log has
// all of them. A pusher that suspended its git (Ctrl-Z) blocks a hook's output
// once the pipes are full, and the hook holds the app's lock.
const Limit = 4 << 20

// queued is how many lines wait for a slow reader before lines are dropped.
const queued = 4096

// Terminal writes events as Dokku prints them, in colour where the reader sees it (see
// Coloured), and signs of life (see Busy). It never blocks its caller: when the reader is
// too slow, lines are dropped and counted.
type Terminal struct {
	lines chan line
	done  chan struct{}

	mu      sync.Mutex
	closed  bool
	written int
	dropped int
	quiet   bool
	remote  string // see Hints
	colour  struct{ out, errs bool }

	// See Busy.
	tasks   []*task
	timer   *time.Timer   // nil: no task
	last    time.Time     // of the last line
	silence time.Duration // until the next sign of life
}

type line struct {
	text string
	// size is the length of the text without its colours.
	size int
	// problem: a warning or an error, which goes to stderr and is never left out.
	problem bool
}

// NewTerminal returns a terminal that writes to out, and warnings to errs.
// With quiet, steps, results and details are left out.
func NewTerminal(out, errs io.Writer, quiet bool) *Terminal {
	t := &Terminal{lines: make(chan line, queued), done: make(chan struct{}), quiet: quiet}
	t.colour.out, t.colour.errs = Coloured(out), Coloured(errs)
	t.said(StyleStep, time.Now())
	go t.run(out, errs)
	return t
}

// Over makes the terminal's hints fit a reader who came over ssh; see Hints.
func (t *Terminal) Over(remote string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.remote = remote
}

func (t *Terminal) run(out, errs io.Writer) {
	defer close(t.done)
	for l := range t.lines {
		w := out
		if l.problem {
			w = errs
		}
		io.WriteString(w, l.text)
	}
}

// Close writes what is queued, for at most a second, and stops.
func (t *Terminal) Close() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.closed = true
	if t.timer != nil {
		t.timer.Stop()
	}
	close(t.lines)
	t.mu.Unlock()
	select {
	case <-t.done:
	case <-time.After(time.Second):
	}
}

// Write prints one event.
func (t *Terminal) Write(p []byte) (int, error) {
	var e struct {
		Style   Style
		Message string
	}
	if err := json.Unmarshal(p, &e); err != nil {
		return len(p), nil
	}
	if e.Style != StyleOutput && e.Style != StyleValue {
		e.Message = t.hints(e.Message)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed && (!t.quiet || e.Style.problem() || e.Style == StyleOutput) && t.print(e.Style, e.Message) {
		t.said(e.Style, time.Now())
	}
	return len(p), nil
}

func (t *Terminal) hints(text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Hints(text, t.remote)
}

// print queues the line of an event, if it has one. The caller holds mu.
func (t *Terminal) print(s Style, text string) bool {
	plain, ok := Format(s, text)
	if !ok {
		return false
	}
	l := line{text: plain, size: len(plain) + 1, problem: s.problem()}
	if on := t.colour; l.problem && on.errs || !l.problem && on.out {
		l.text = Paint(s, plain)
		if s == StyleOutput {
			l.text = indent + Styled(text)
		}
	}
	l.text += "\n"
	t.put(l)
	return true
}

// put queues a line, or drops it. Limit does not apply to problems: decisions and
// their reasons must arrive.
func (t *Terminal) put(l line) {
	if t.written+l.size > Limit && !l.problem {
		t.dropped++
		return
	}
	select {
	case t.lines <- l:
		t.written += l.size
	default:
		t.dropped++
	}
}

// indent is what lines below a step begin with.
const indent = "       "

// Format returns the line that an event prints, without a newline, and
// whether it prints one at all.
func Format(s Style, text string) (string, bool) {
	text = Printable(text)
	switch s {
	case StyleStep:
		return "-----> " + text, true
	case StyleResult, StyleSuccess:
		return "=====> " + text, true
	case StyleDetail, StyleValue, StyleOutput, StyleAlive:
		return indent + text, true
	case StyleWarning, StyleError:
		return " !     " + text, true
	}
	return "", false
}
