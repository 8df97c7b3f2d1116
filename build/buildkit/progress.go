package buildkit

import (
	"cmp"
	"maps"
	"slices"
	"time"

	control "github.com/moby/buildkit/api/services/control"

	"dokku/build"
	"dokku/build/source"
)

const (
	// headerWait is how long the first line waits for the number of bytes sent.
	headerWait = time.Second
	// repeatedLines is how many of a failed step's last lines are printed again where
	// other output followed them.
	repeatedLines = 10
	// againAfter is how long a step must run again, after its line was printed, for
	// another line.
	againAfter = time.Second
)

// printer turns the engine's progress into lines. Only its creator's goroutine
// uses it.
type printer struct {
	print    func(build.Line)
	header   func()
	transfer *transfer

	start   time.Time
	last    time.Time     // of the last line
	silence time.Duration // until the next sign of life
	steps   map[string]*step
	order   []*step
	held    []build.Line // before the header
	running bool         // the header has been printed
	current *step        // whose name the output is under
}

func newPrinter(now time.Time, print func(build.Line), t *transfer, header func()) *printer {
	if print == nil {
		print = func(build.Line) {}
	}
	return &printer{print: print, header: header, transfer: t, start: now, last: now, silence: build.AliveFirst,
		steps: map[string]*step{}}
}

// follow prints until messages is closed. It returns the image's id, or why
// the engine refused to make one.
func (p *printer) follow(messages <-chan message) (id, refused string) {
	timer := time.NewTimer(headerWait)
	defer timer.Stop()
	sent := p.transfer.ended
	for {
		select {
		case m, ok := <-messages:
			if !ok {
				p.end(time.Now())
				return id, refused
			}
			id, refused = cmp.Or(m.image, id), cmp.Or(m.err, refused)
			p.update(m.status, time.Now())
			timer.Reset(p.next(time.Now()))
		case <-sent:
			sent = nil
			p.begin()
			timer.Reset(p.next(time.Now()))
		case now := <-timer.C:
			timer.Reset(p.tick(now))
		}
	}
}

// tick prints the header, the names of steps that run, or a sign of life when it is
// time, and returns when to call it again.
func (p *printer) tick(now time.Time) time.Duration {
	if now.Sub(p.start) >= headerWait && !p.running {
		p.last = now
		p.begin()
	}
	for _, s := range p.order {
		if s.unannounced() && now.Sub(s.begun) >= build.AnnounceAfter {
			p.announce(s)
			p.last, p.silence = now, build.AliveFirst
		}
	}
	if now.Sub(p.last) >= p.silence {
		p.last, p.silence = now, build.AliveEvery
		p.line(p.alive(now))
		p.current = nil
	}
	return p.next(now)
}

// next returns the time until the next tick.
func (p *printer) next(now time.Time) time.Duration {
	at := p.last.Add(p.silence)
	if header := p.start.Add(headerWait); !p.running && header.Before(at) {
		at = header
	}
	for _, s := range p.order {
		if due := s.begun.Add(build.AnnounceAfter); s.unannounced() && due.Before(at) {
			at = due
		}
	}
	return max(time.Millisecond, at.Sub(now))
}

// alive names what has run longest: a step of the Dockerfile if any does, else the
// transfer of the files, else a step that a push hides.
func (p *printer) alive(now time.Time) build.Line {
	var longest *step
	for _, s := range p.order {
		if s.running && (longest == nil || s.visible && !longest.visible) {
			longest = s
		}
	}
	line := build.Line{Kind: build.KindAlive}
	since := p.start
	switch {
	case p.transfer.sending() && (longest == nil || !longest.visible):
		line.Text, since = "still sending files, "+source.Bytes(p.transfer.sent()), p.transfer.begun()
		p.silence = build.AliveFirst
	case longest == nil:
		line.Text = "still waiting for the engine"
	case longest.pull.active():
		line.Text, line.Step, since = "still "+longest.pull.text(longest.image()), longest.name, longest.first
		p.silence = build.AliveFirst
	default:
		line.Text, line.Step, since = "still "+build.Shorten(longest.doing(), build.StepWidth), longest.name, longest.first
	}
	line.Text += " " + build.Seconds(now.Sub(since))
	return line
}

// begin prints the header and the lines that have waited for it.
func (p *printer) begin() {
	if p.running {
		return
	}
	p.running = true
	p.header()
	for _, l := range p.held {
		p.print(l)
	}
	p.held = nil
}

// end prints what is still to be said of a build that has ended.
func (p *printer) end(now time.Time) {
	p.begin()
	for _, s := range p.order {
		p.settle(s, now)
	}
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
	for _, v := range r.GetStatuses() {
		if s := p.steps[v.Vertex]; s != nil {
			s.pull.note(v)
		}
	}
	for _, l := range r.GetLogs() {
		if s := p.steps[l.Vertex]; s != nil {
			p.output(s, l.Stream, l.Msg, now)
		}
	}
	// A step's last output comes in the same status as its end.
	for _, v := range r.GetVertexes() {
		if s := p.steps[v.Digest]; s.final() {
			p.settle(s, now)
		}
	}
}

// note records a step's start or end. The steps that it builds on have ended by then.
func (p *printer) note(v *control.Vertex, now time.Time) {
	s := p.steps[v.Digest]
	if s == nil {
		s = newStep(v)
		p.steps[v.Digest] = s
		p.order = append(p.order, s)
	}
	s.note(v, now)
	if v.Started == nil && v.Completed == nil {
		return
	}
	for _, digest := range v.Inputs {
		if on := p.steps[digest]; on != nil {
			on.needed = true
			p.settle(on, now)
		}
	}
}

// settle prints a step's end, once for each run that is worth a line.
func (p *printer) settle(s *step, now time.Time) {
	if s.running || !s.completed || s.printed == s.runs {
		return
	}
	for _, stream := range slices.Sorted(maps.Keys(s.partial)) {
		s.partial[stream].End(func(text string) { p.outputLine(s, text, now) })
	}
	again := s.printed > 0
	s.printed = s.runs
	if !s.visible || again && s.spent < againAfter {
		return
	}
	took := build.Seconds(s.spent)
	switch {
	case canceled(s.err):
		took = "stopped"
	case s.err != "":
		p.failed(s, "failed "+took, now)
		return
	case s.cached:
		took = "cached"
	}
	s.spent = 0
	name := s.name
	if s.announced && p.current == s { // its own lines are the last ones
		name = ""
	}
	p.news(now)
	p.line(build.Line{Kind: build.KindStep, Text: build.Column(name, took), Step: s.name})
}

// news notes that a line says something new, which is no step's output.
func (p *printer) news(now time.Time) { p.last, p.silence, p.current = now, build.AliveFirst, nil }

// failed prints the end of a step that failed. The step's name is there already when
// its output is the last that was printed; if other output came between, the last
// lines are printed again.
func (p *printer) failed(s *step, took string, now time.Time) {
	name := s.name
	switch {
	case s.announced && p.current == s:
		name = ""
	case s.announced:
		tail := s.tail
		s.tail = nil
		for _, text := range tail[max(0, len(tail)-repeatedLines):] {
			p.outputLine(s, text, now)
		}
		if s.tail = tail; len(tail) > 0 {
			name = ""
		}
	}
	s.printed = max(s.runs, 1)
	p.news(now)
	p.line(build.Line{Kind: build.KindStep, Text: build.Column(name, took), Step: s.name})
}

// output prints the whole lines of msg and keeps the rest. Lines of steps that
// run side by side are told apart by the step's name, which is printed
// whenever the output switches to another step.
func (p *printer) output(s *step, stream int64, msg []byte, now time.Time) {
	l := s.partial[stream]
	if l == nil {
		l = &build.Lines{}
		s.partial[stream] = l
	}
	l.Add(msg, func(text string) { p.outputLine(s, text, now) })
}

func (p *printer) outputLine(s *step, text string, now time.Time) {
	if s.tail = append(s.tail, text); len(s.tail) > build.TailLines {
		s.tail = slices.Delete(s.tail, 0, 1)
	}
	p.announce(s)
	p.last, p.silence = now, build.AliveFirst
	p.line(build.Line{Kind: build.KindOutput, Text: build.OutputIndent + text, Step: s.name})
}

// announce prints a step's name, unless the last output is under it already.
func (p *printer) announce(s *step) {
	if p.current == s {
		return
	}
	name := build.Shorten(s.name, build.StepWidth)
	if s.announced {
		name = build.Shorten(s.name, build.StepWidth-12) + " (continued)"
	}
	p.line(build.Line{Kind: build.KindStep, Text: name, Step: s.name})
	p.current, s.announced = s, true
}
