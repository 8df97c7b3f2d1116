package buildkit

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	control "github.com/moby/buildkit/api/services/control"

	"dokku/build"
	"dokku/build/source"
)

const (
	// aliveEvery bounds the silence of a build: pushers, and proxies on the way, take a
	// longer one for a hang.
	aliveEvery = 15 * time.Second
	// headerWait is how long the first line waits for the number of bytes sent.
	headerWait = time.Second
	// stepWidth is the column at which a step's time ends.
	stepWidth = 54
	// maxLine is the length in bytes at which a line of output is broken.
	maxLine = 4096
	// tailLines is how many of a step's last lines an Error has.
	tailLines = 30
)

// step is a BuildKit vertex.
type step struct {
	name      string // as printed
	visible   bool
	first     time.Time // by this host's clock
	started   time.Time // by the engine's clock
	ended     bool
	err       string
	partial   map[int64][]byte // unfinished line of each stream
	tail      []string
	announced bool
}

// printer turns the engine's progress into lines. Only its creator's goroutine
// uses it.
type printer struct {
	print  func(build.Line)
	header func(sending bool)
	sent   func() int64

	start   time.Time
	last    time.Time // of the last line
	steps   map[string]*step
	order   []*step
	held    []build.Line // before the header
	running bool         // the header has been printed
	current *step        // whose name the output is under
}

func newPrinter(now time.Time, print func(build.Line), header func(sending bool)) *printer {
	if print == nil {
		print = func(build.Line) {}
	}
	return &printer{print: print, header: header, sent: func() int64 { return 0 },
		start: now, last: now, steps: map[string]*step{}}
}

// follow prints until messages is closed. It returns the image's id, or why
// the engine refused to make one.
func (p *printer) follow(messages <-chan message) (id, refused string) {
	timer := time.NewTimer(headerWait)
	defer timer.Stop()
	for {
		select {
		case m, ok := <-messages:
			if !ok {
				p.begin()
				return id, refused
			}
			id, refused = cmp.Or(m.image, id), cmp.Or(m.err, refused)
			p.update(m.status, time.Now())
		case now := <-timer.C:
			timer.Reset(p.tick(now))
		}
	}
}

// tick prints the header or a sign of life when it is time, and returns when
// to call it again.
func (p *printer) tick(now time.Time) time.Duration {
	if now.Sub(p.start) >= headerWait && !p.running {
		p.last = now
		p.begin()
	}
	if silent := now.Sub(p.last); silent < aliveEvery {
		return max(time.Millisecond, aliveEvery-silent)
	}
	p.last = now
	p.line(p.alive(now))
	p.current = nil
	return aliveEvery
}

// alive names the step that has run longest, one of the Dockerfile if any is.
func (p *printer) alive(now time.Time) build.Line {
	var longest *step
	for _, s := range p.order {
		if !s.ended && !s.first.IsZero() && (longest == nil || s.visible && !longest.visible) {
			longest = s
		}
	}
	if longest == nil {
		return build.Line{Kind: build.KindAlive, Text: "still waiting for the engine " + seconds(now.Sub(p.start))}
	}
	text := "still running " + shorten(longest.name, stepWidth) + " " + seconds(now.Sub(longest.first))
	if isContext(longest.name) {
		text = "still sending files, " + source.Bytes(p.sent()) + " " + seconds(now.Sub(longest.first))
	}
	return build.Line{Kind: build.KindAlive, Text: text, Step: longest.name}
}

// begin prints the header and the lines that have waited for it.
func (p *printer) begin() {
	if p.running {
		return
	}
	p.running = true
	p.header(slices.ContainsFunc(p.order, func(s *step) bool { return isContext(s.name) && !s.ended }))
	for _, l := range p.held {
		p.print(l)
	}
	p.held = nil
}

func (p *printer) line(l build.Line) {
	if !p.running {
		p.held = append(p.held, l)
		return
	}
	p.print(l)
}

// update prints the news of a status.
func (p *printer) update(r *control.StatusResponse, now time.Time) {
	for _, v := range r.GetVertexes() {
		p.note(v, now)
	}
	for _, l := range r.GetLogs() {
		if s := p.steps[l.Vertex]; s != nil {
			p.output(s, l.Stream, l.Msg, now)
		}
	}
	// A step's last output comes in the same status as its end.
	for _, v := range r.GetVertexes() {
		if v.Completed != nil {
			p.finish(p.steps[v.Digest], v, now)
		}
	}
}

// note records a step and its start.
func (p *printer) note(v *control.Vertex, now time.Time) {
	s := p.steps[v.Digest]
	if s == nil {
		s = &step{name: stepName(v.Name), partial: map[int64][]byte{}}
		s.visible = strings.HasPrefix(s.name, "[") &&
			!strings.HasPrefix(s.name, "[internal]") && !strings.HasPrefix(s.name, "[auth]")
		p.steps[v.Digest] = s
		p.order = append(p.order, s)
	}
	if v.Started != nil && s.started.IsZero() {
		s.first, s.started = now, v.Started.AsTime()
	}
}

// finish prints a step's end, once.
func (p *printer) finish(s *step, v *control.Vertex, now time.Time) {
	if s.ended {
		return
	}
	for _, stream := range slices.Sorted(maps.Keys(s.partial)) {
		p.flush(s, stream, now)
	}
	s.ended, s.err = true, v.Error
	if isContext(s.name) {
		p.begin()
	}
	if !s.visible || v.Started == nil {
		return
	}
	took := seconds(v.Completed.AsTime().Sub(s.started))
	switch {
	case canceled(v.Error):
		took = "stopped"
	case v.Error != "":
		took = "failed " + took
	case v.Cached:
		took = "cached"
	}
	room := stepWidth - len(took) - 2
	name := shorten(s.name, room)
	p.last, p.current = now, nil
	pad := strings.Repeat(" ", stepWidth-len(took)-utf8.RuneCountInString(name))
	p.line(build.Line{Kind: build.KindStep, Text: name + pad + took, Step: s.name})
}

// output prints the whole lines of msg and keeps the rest. Lines of steps that
// run side by side are told apart by the step's name, which is printed
// whenever the output switches to another step.
func (p *printer) output(s *step, stream int64, msg []byte, now time.Time) {
	b := append(s.partial[stream], msg...)
	for {
		end := slices.Index(b, '\n')
		if end < 0 && len(b) < maxLine {
			break
		}
		rest := end + 1
		if end < 0 || end > maxLine {
			end, rest = maxLine, maxLine
		}
		p.outputLine(s, string(b[:end]), now)
		b = b[rest:]
	}
	s.partial[stream] = slices.Clone(b)
}

func (p *printer) flush(s *step, stream int64, now time.Time) {
	if b := s.partial[stream]; len(b) > 0 {
		p.outputLine(s, string(b), now)
	}
	delete(s.partial, stream)
}

func (p *printer) outputLine(s *step, text string, now time.Time) {
	text = strings.TrimRight(text, "\r")
	// A progress bar draws over itself; only its last state is a line.
	text = text[strings.LastIndexByte(text, '\r')+1:]
	if s.tail = append(s.tail, text); len(s.tail) > tailLines {
		s.tail = slices.Delete(s.tail, 0, 1)
	}
	if p.current != s {
		name := shorten(s.name, stepWidth)
		if s.announced {
			name = shorten(s.name, stepWidth-12) + " (continued)"
		}
		p.line(build.Line{Kind: build.KindStep, Text: name, Step: s.name})
		p.current, s.announced = s, true
	}
	p.last = now
	p.line(build.Line{Kind: build.KindOutput, Text: "  | " + text, Step: s.name})
}
