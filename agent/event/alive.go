package event

import (
	"fmt"
	"slices"
	"time"
)

const (
	// AliveFirst is the longest silence of a Terminal after a line that says something
	// new, AliveEvery after a sign of life: pushers, and proxies on the way, take a
	// longer one for a hang.
	AliveFirst = 5 * time.Second
	AliveEvery = 15 * time.Second
	// aliveAfter is how long something must have taken to be worth a sign of life.
	aliveAfter = time.Second
)

// A task is something that takes long and prints nothing.
type task struct {
	doing func() string
	since time.Time
}

// Busy says what the program does until the returned function is called: "starting
// web.1". A terminal prints it when nothing else was printed for a while; no log has it.
func (l Log) Busy(format string, args ...any) (done func()) {
	text := fmt.Sprintf(format, args...)
	return l.BusyWith(func() string { return text })
}

// BusyWith is Busy with a text that changes. doing is called from another goroutine, and
// must not write to the log; "" prints nothing.
func (l Log) BusyWith(doing func() string) (done func()) {
	k := &task{doing: doing, since: time.Now()}
	var terminals []*Terminal
	for _, w := range l.writers {
		if t, ok := w.(*Terminal); ok {
			t.begin(k)
			terminals = append(terminals, t)
		}
	}
	return func() {
		for _, t := range terminals {
			t.end(k)
		}
	}
}

func (t *Terminal) begin(k *task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.quiet {
		return
	}
	t.tasks = append(t.tasks, k)
	if t.timer == nil {
		t.timer = time.AfterFunc(t.due(time.Now()), t.tick)
	}
}

func (t *Terminal) end(k *task) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tasks = slices.DeleteFunc(t.tasks, func(other *task) bool { return other == k })
	if len(t.tasks) == 0 && t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}

// tick prints a sign of life if it is time for one.
func (t *Terminal) tick() {
	k, text := t.doing()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.tasks) == 0 {
		return
	}
	now := time.Now()
	if left := t.due(now); left > 0 {
		t.timer.Reset(left)
		return
	}
	if slices.Contains(t.tasks, k) {
		t.print(StyleAlive, fmt.Sprintf("still %s %.1fs", text, now.Sub(k.since).Seconds()))
	}
	t.said(StyleAlive, now)
}

// doing returns the task that began last, of those that have something to say. The caller
// does not hold mu: a task's lock may be held by one who prints.
func (t *Terminal) doing() (*task, string) {
	t.mu.Lock()
	tasks := slices.Clone(t.tasks)
	t.mu.Unlock()
	for _, k := range slices.Backward(tasks) {
		if text := k.doing(); text != "" {
			return k, text
		}
	}
	return nil, ""
}

// due returns the time until the next sign of life. The caller holds mu.
func (t *Terminal) due(now time.Time) time.Duration {
	first := t.tasks[len(t.tasks)-1].since.Add(aliveAfter)
	at := t.last.Add(t.silence)
	if first.After(at) {
		at = first
	}
	return at.Sub(now)
}

// said notes that a line was printed. The caller holds mu.
func (t *Terminal) said(s Style, now time.Time) {
	t.last, t.silence = now, AliveFirst
	if s == StyleAlive {
		t.silence = AliveEvery
	}
	if len(t.tasks) > 0 {
		t.timer.Reset(t.due(now))
	}
}
