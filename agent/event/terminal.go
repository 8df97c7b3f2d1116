package event

import (
	"encoding/json"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Limit is how many bytes of events a Terminal passes on; the deploy's log has
// all of them. A pusher that suspended its git (Ctrl-Z) blocks a hook's output
// once the pipes are full, and the hook holds the app's lock.
const Limit = 4 << 20

// queued is how many lines wait for a slow reader before lines are dropped.
const queued = 4096

// Terminal writes events as Dokku prints them. It never blocks its caller:
// when the reader is too slow, lines are dropped and counted.
type Terminal struct {
	lines chan line
	done  chan struct{}

	mu      sync.Mutex
	closed  bool
	written int
	dropped int
	quiet   bool
	remote  string // see Hints
}

type line struct {
	text string

	// stderr tells which of the two streams the line belongs to.
	stderr bool
}

// NewTerminal returns a terminal that writes to out, and warnings to errs.
// With quiet, steps, results and details are left out.
func NewTerminal(out, errs io.Writer, quiet bool) *Terminal {
	t := &Terminal{lines: make(chan line, queued), done: make(chan struct{}), quiet: quiet}
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
		if l.stderr {
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
	if e.Style != StyleOutput {
		e.Message = t.hints(e.Message)
	}
	text, ok := Format(e.Style, e.Message)
	if !ok || t.quiet && e.Style != StyleWarning && e.Style != StyleOutput {
		return len(p), nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return len(p), nil
	}
	t.put(line{text: text + "\n", stderr: e.Style == StyleWarning})
	return len(p), nil
}

func (t *Terminal) hints(text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Hints(text, t.remote)
}

// put queues a line, or drops it. Limit does not apply to warnings: decisions and
// their reasons must arrive.
func (t *Terminal) put(l line) {
	if t.written+len(l.text) > Limit && !strings.HasPrefix(l.text, " !") {
		t.dropped++
		return
	}
	select {
	case t.lines <- l:
		t.written += len(l.text)
	default:
		t.dropped++
	}
}

// Format returns the line that an event prints, without a newline, and
// whether it prints one at all.
func Format(s Style, text string) (string, bool) {
	text = Printable(text)
	switch s {
	case StyleStep:
		return "-----> " + text, true
	case StyleResult:
		return "=====> " + text, true
	case StyleDetail, StyleOutput:
		return "       " + text, true
	case StyleWarning:
		return " !     " + text, true
	}
	return "", false
}

// Printable removes escape sequences and control characters except the tab. Invalid
// UTF-8 becomes U+FFFD.
func Printable(s string) string {
	clean := utf8.ValidString(s)
	for i := 0; clean && i < len(s); i++ {
		clean = s[i] >= ' ' && s[i] < 0x7f || s[i] == '\t'
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if n := escape(s[i:]); n > 0 {
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r == '\t' || r >= ' ' && r != 0x7f && (r < 0x80 || r > 0x9f) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escape returns the length of the ECMA-48 escape sequence that s starts with.
func escape(s string) int {
	if s == "" || s[0] != 0x1b {
		return 0
	}
	if len(s) == 1 {
		return 1
	}
	switch s[1] {
	case '[': // CSI: parameters, then one final byte
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
		return len(s)
	case ']', 'P', '^', '_', 'X': // strings up to BEL or ST
		for i := 2; i < len(s); i++ {
			if s[i] == 0x07 {
				return i + 1
			}
			if s[i] == 0x1b && i+1 < len(s) && s[i+1] == '\\' {
				return i + 2
			}
		}
		return len(s)
	}
	return 2
}
