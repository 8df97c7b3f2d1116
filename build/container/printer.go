package container

import (
	"context"
	"slices"
	"time"

	"dokku/build"
)

// printer turns the output of one step into lines. Only its creator's goroutine uses it.
type printer struct {
	step      string
	print     func(build.Line)
	start     time.Time
	last      time.Time     // of the last line
	silence   time.Duration // until the next sign of life
	announced bool
	lines     [2]build.Lines // of stdout and stderr
	tail      []string
}

func newPrinter(step string, print func(build.Line)) *printer {
	if print == nil {
		print = func(build.Line) {}
	}
	now := time.Now()
	return &printer{step: step, print: print, start: now, last: now, silence: build.AliveFirst}
}

// follow prints output until it is closed.
func (p *printer) follow(ctx context.Context, output <-chan chunk) error {
	timer := time.NewTimer(build.AnnounceAfter)
	defer timer.Stop()
	for {
		select {
		case c, ok := <-output:
			if !ok {
				for n := range p.lines {
					p.lines[n].End(p.output)
				}
				return nil
			}
			p.lines[c.stream].Add(c.data, p.output)
		case now := <-timer.C:
			p.announce()
			p.alive(now, "")
			timer.Reset(max(time.Millisecond, p.last.Add(p.silence).Sub(now)))
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// announce prints the step's name once.
func (p *printer) announce() {
	if !p.announced {
		p.print(build.Line{Kind: build.KindStep, Text: build.Shorten(p.step, build.StepWidth), Step: p.step})
	}
	p.announced = true
}

// alive prints a sign of life if nothing was printed for a while.
func (p *printer) alive(now time.Time, more string) {
	if now.Sub(p.last) < p.silence {
		return
	}
	p.last, p.silence = now, build.AliveEvery
	text := "still " + build.Shorten(p.step, build.StepWidth) + more + " " + build.Seconds(now.Sub(p.start))
	p.print(build.Line{Kind: build.KindAlive, Text: text, Step: p.step})
}

// output prints a line of the step.
func (p *printer) output(text string) {
	if p.tail = append(p.tail, text); len(p.tail) > build.TailLines {
		p.tail = slices.Delete(p.tail, 0, 1)
	}
	p.announce()
	p.last, p.silence = time.Now(), build.AliveFirst
	p.print(build.Line{Kind: build.KindOutput, Text: build.OutputIndent + text, Step: p.step})
}

// end prints the step's time.
func (p *printer) end(now time.Time, failed bool) {
	took, name := build.Seconds(now.Sub(p.start)), p.step
	if failed {
		took = "failed " + took
	}
	p.print(build.Line{Kind: build.KindStep, Text: build.Column(name, took), Step: p.step})
}
