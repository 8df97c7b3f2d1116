package buildkit

import (
	"fmt"
	"strings"
	"testing"
	"time"

	control "github.com/moby/buildkit/api/services/control"
	"google.golang.org/protobuf/types/known/timestamppb"

	"dokku/build"
)

// screen collects the output of a printer. Its clock starts at 0 s.
type screen struct {
	*printer
	text strings.Builder
	zero time.Time
}

func newScreen() *screen {
	s := &screen{zero: time.Unix(1000, 0)}
	s.printer = newPrinter(s.zero, func(l build.Line) { s.text.WriteString(l.Text + "\n") }, newTransfer(), func() {
		var h build.Header
		s.transfer.report(&h)
		fmt.Fprintf(&s.text, "header%s\n", strings.TrimPrefix(h.String(), ", 0 files changed"))
	})
	return s
}

func (s *screen) at(sec float64) time.Time {
	return s.zero.Add(time.Duration(sec * float64(time.Second)))
}

// new makes a step; the times are seconds, 0 for not yet.
func (s *screen) new(name string, started, ended float64, more ...func(*control.Vertex)) *control.Vertex {
	v := &control.Vertex{Digest: name, Name: name}
	if started > 0 {
		v.Started = timestamppb.New(s.at(started))
	}
	if ended > 0 {
		v.Completed = timestamppb.New(s.at(ended))
	}
	for _, f := range more {
		f(v)
	}
	return v
}

// vertex tells of one step.
func (s *screen) vertex(sec float64, name string, started, ended float64, more ...func(*control.Vertex)) {
	s.update(&control.StatusResponse{Vertexes: []*control.Vertex{s.new(name, started, ended, more...)}}, s.at(sec))
}

// sends begins the transfer of the files, or ends it when it has begun.
func (s *screen) sends(sec float64, bytes int64) {
	if !s.transfer.sending() {
		s.transfer.bytes.Add(bytes)
		s.transfer.begin(s.at(sec))
		return
	}
	s.transfer.bytes.Store(bytes)
	s.transfer.end()
	s.begin() // as follow does then
}

// layer is the progress of a layer in megabytes.
func (s *screen) layer(id string, current, total float64) *control.VertexStatus {
	v := &control.VertexStatus{ID: id, Current: int64(current * 1e6), Total: int64(total * 1e6), Started: timestamppb.New(s.zero)}
	if current == total && total > 0 {
		v.Completed = timestamppb.New(s.zero)
	}
	return v
}

func (s *screen) layers(sec float64, vertex string, layers ...*control.VertexStatus) {
	for _, l := range layers {
		l.Vertex = vertex
	}
	s.update(&control.StatusResponse{Statuses: layers}, s.at(sec))
}

func (s *screen) log(sec float64, name, text string) {
	s.update(&control.StatusResponse{Logs: []*control.VertexLog{{Vertex: name, Stream: 1, Msg: []byte(text)}}}, s.at(sec))
}

func (s *screen) want(t *testing.T, want string) {
	t.Helper()
	s.begin()
	if got := strings.ReplaceAll(s.text.String(), strings.Repeat("x", build.MaxLine), "<maxLine>"); got != strings.TrimLeft(want, "\n") {
		t.Errorf("printed\n%s\nwant%s", got, want)
	}
}

func cached(v *control.Vertex) { v.Cached = true }

// on names the steps that a step builds on.
func on(inputs ...string) func(v *control.Vertex) {
	return func(v *control.Vertex) { v.Inputs = inputs }
}

func failed(message string) func(v *control.Vertex) {
	return func(v *control.Vertex) { v.Error = message }
}

// TestProgress is the trace of an engine before 23: every step ends once.
func TestProgress(t *testing.T) {
	s := newScreen()
	s.vertex(0.1, "[internal] load build definition from Dockerfile", 0.1, 0.2)
	s.vertex(0.1, "[internal] load .dockerignore", 0.1, 0.2)
	s.vertex(0.2, "[internal] load metadata for docker.io/library/node:22", 0.1, 0.2)
	from := "[1/3] FROM docker.io/library/node:22@sha256:0123456789abcdef"
	files, copied := "[internal] load build context", "[2/3] COPY package*.json ."
	s.vertex(0.3, from, 0, 0)
	s.vertex(0.3, from, 0.3, 0.3, cached)
	s.sends(0.3, 0)
	s.vertex(0.3, files, 0.3, 0)
	s.sends(0.5, 120_000)
	s.vertex(0.5, files, 0.3, 0.5)
	s.vertex(0.6, copied, 0.5, 0.6, on(from, files))
	npm := "[3/3] RUN npm ci"
	s.vertex(0.7, npm, 0.7, 0, on(copied))
	s.log(5, npm, "added 211 packa")
	s.log(6, npm, "ges in 11s\n10%\r50%\r100%\r\n")
	s.log(7, npm, "no newline")
	s.vertex(13, npm, 0.7, 13, on(copied))
	s.vertex(13, npm, 0.7, 13, on(copied))
	s.vertex(13, "exporting to image", 13, 14)
	s.want(t, `
header, 120 kB sent
[1/3] FROM node:22                              cached
[2/3] COPY package*.json .                        0.1s
[3/3] RUN npm ci
  | added 211 packages in 11s
  | 100%
  | no newline
                                                 12.3s
`)
}

// TestProgressTwice is the trace of an engine of 26 or later: a step without inputs ends
// when its cache key is known, and again when its content is there.
func TestProgressTwice(t *testing.T) {
	from, files, copied := "[1/2] FROM docker.io/library/node:22", "[internal] load build context", "[2/2] COPY . ."
	run := func(name string, started, ended float64, more ...func(*control.Vertex)) *control.Vertex {
		return newScreen().new(name, started, ended, more...)
	}
	for name, statuses := range map[string][][]*control.Vertex{
		"four statuses": {{run(from, 0.2, 0), run(files, 0.2, 0)}, {run(from, 0.2, 0.25), run(files, 0.2, 0.21)},
			{run(from, 0.4, 0), run(files, 0.4, 0)}, {run(files, 0.4, 0.9)}, {run(from, 0.4, 28.4)},
			{run(copied, 28.5, 0, on(from, files))}, {run(copied, 28.5, 28.7, on(from, files))}},
		"two statuses": {{run(from, 0.2, 0), run(from, 0.2, 0.25), run(files, 0.2, 0), run(files, 0.2, 0.21)},
			{run(from, 0.4, 0), run(files, 0.4, 0), run(files, 0.4, 0.9)},
			{run(from, 0.4, 28.4), run(copied, 28.5, 0, on(from, files)), run(copied, 28.5, 28.7, on(from, files))}},
		"started with the end": {{run(from, 0.2, 0), run(from, 0.2, 0.25), run(from, 0.4, 0), run(files, 0.2, 0), run(files, 0.2, 0.21), run(files, 0.4, 0)},
			{run(files, 0.4, 0.9), run(from, 0.4, 28.4)}, {run(copied, 28.5, 28.7, on(from, files))}},
		"one status": {{run(from, 0.2, 0), run(from, 0.2, 0.25), run(from, 0.4, 0), run(from, 0.4, 28.4),
			run(copied, 28.5, 0, on(from, files)), run(copied, 28.5, 28.7, on(from, files))}},
	} {
		s := newScreen()
		s.sends(0.4, 0)
		for i, vertexes := range statuses {
			if i == len(statuses)-1 {
				s.sends(0.9, 5_800_000)
			}
			s.update(&control.StatusResponse{Vertexes: vertexes}, s.at(float64(i)))
		}
		s.end(s.at(30))
		if got, want := s.text.String(), strings.TrimLeft(`
header, 5.8 MB sent
[1/2] FROM node:22                               28.1s
[2/2] COPY . .                                    0.2s
`, "\n"); got != want {
			t.Errorf("%s: printed\n%s\nwant\n%s", name, got, want)
		}
	}
}

// TestProgressCached: when the cache has all steps, newer engines never run FROM for its
// content, and say of the others only that they are cached.
func TestProgressCached(t *testing.T) {
	s := newScreen()
	from, files := "[1/2] FROM node", "[internal] load build context"
	s.vertex(0.2, from, 0.1, 0.1)
	s.vertex(0.2, files, 0.1, 0.1)
	s.vertex(0.3, files, 0.3, 0)
	s.vertex(0.4, files, 0.3, 0.4)
	s.vertex(0.4, "[2/2] COPY . .", 0.4, 0.4, on(from, files), cached)
	s.end(s.at(1))
	s.want(t, `
header
[1/2] FROM node                                   0.0s
[2/2] COPY . .                                  cached
`)
	// A Dockerfile with FROM alone has no step that says that it has ended.
	s = newScreen()
	s.vertex(0.2, "[1/1] FROM node", 0.1, 0.2)
	s.end(s.at(1))
	s.want(t, `
header
[1/1] FROM node                                   0.1s
`)
}

// TestProgressLate: an image whose layers are pulled only when a step needs them, after
// its line was printed, gets another line.
func TestProgressLate(t *testing.T) {
	s := newScreen()
	from, run := "[1/2] FROM node", "[2/2] RUN x"
	s.vertex(0.2, from, 0.1, 0.2)
	s.vertex(0.3, from, 0.2, 0.3)
	s.vertex(0.4, from, 0.4, 0)
	s.vertex(0.4, run, 0.4, 0, on(from))
	s.vertex(20.4, from, 0.4, 20.4)
	s.vertex(20.4, from, 20.4, 20.5)
	s.vertex(21, run, 0.4, 21, on(from))
	s.end(s.at(21))
	s.want(t, `
header
[1/2] FROM node                                   0.2s
[1/2] FROM node                                  20.0s
[2/2] RUN x                                      20.6s
`)
}

func TestProgressSideBySide(t *testing.T) {
	s := newScreen()
	a, b, base := "[a 1/2] RUN make "+strings.Repeat("a", 60), "[b 1/1] RUN test", on("[internal] base")
	s.vertex(0.1, a, 0.1, 0, base)
	s.vertex(0.1, b, 0.1, 0, base)
	s.log(1, a, "a1\n")
	s.log(1, b, "b1\nb2\n")
	s.log(1, a, "a2\n")
	s.vertex(2, b, 0.1, 2.1, base)
	s.log(2, a, strings.Repeat("x", build.MaxLine+1))
	s.vertex(3, a, 0.1, 3.1, base, failed("process did not complete successfully: exit code: 2"))
	s.vertex(3, "[c 1/1] RUN wait", 0.1, 3, base, failed("context canceled"))
	s.want(t, `
header
[a 1/2] RUN make aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...
  | a1
[b 1/1] RUN test
  | b1
  | b2
[a 1/2] RUN make aaaaaaaaaaaaaaaaaaaaaa... (continued)
  | a2
[b 1/1] RUN test                                  2.0s
[a 1/2] RUN make aaaaaaaaaaaaaaaaaaaaaa... (continued)
  | <maxLine>
  | x
                                           failed 3.0s
[c 1/1] RUN wait                               stopped
`)
	e := s.failure("3f2c1d9", "failed to solve with frontend dockerfile.v0: failed to solve: rpc error: code = Unknown desc = process did not", s.at(4))
	if e.Step != a || e.ExitCode != 2 || e.Reason != "process did not" || e.Output[0] != "a1" || len(e.Output) != 4 {
		t.Errorf("error is %+v", e)
	}
}

// TestProgressFailed: the last lines of a step that failed stand right above its end, and
// its name is printed once unless other output came between.
func TestProgressFailed(t *testing.T) {
	base, exit := on("[internal] base"), failed("exit code: 1")
	s := newScreen()
	run, other := "[2/2] RUN test", "[b 1/1] RUN other"
	s.vertex(0.1, run, 0.1, 0, base)
	s.log(1, run, "1\n2\n")
	s.vertex(2, run, 0.1, 2.1, base, exit)
	s.want(t, "header\n[2/2] RUN test\n  | 1\n  | 2\n                                           failed 2.0s\n")

	s = newScreen()
	s.vertex(2, run, 0.1, 2.1, base, exit)
	s.want(t, "header\n[2/2] RUN test                             failed 2.0s\n")

	s = newScreen()
	s.vertex(0.1, run, 0.1, 0, base)
	s.vertex(0.1, other, 0.1, 0, base)
	for i := range 12 {
		s.log(1, run, fmt.Sprintf("%d\n", i+1))
	}
	s.log(1, other, "o\n")
	s.vertex(2, run, 0.1, 2.1, base, exit)
	s.want(t, `
header
[2/2] RUN test
  | 1
  | 2
  | 3
  | 4
  | 5
  | 6
  | 7
  | 8
  | 9
  | 10
  | 11
  | 12
[b 1/1] RUN other
  | o
[2/2] RUN test (continued)
  | 3
  | 4
  | 5
  | 6
  | 7
  | 8
  | 9
  | 10
  | 11
  | 12
                                           failed 2.0s
`)
	if e := s.failure("3f2c1d9", "exit code: 1", s.at(2)); len(e.Output) != 12 {
		t.Errorf("the error has %q", e.Output)
	}
}

// TestProgressUntoldEnd: the engine may drop the last messages of a failed step.
func TestProgressUntoldEnd(t *testing.T) {
	s := newScreen()
	copied, run := "[1/2] COPY . .", "[2/2] RUN test"
	s.vertex(0.1, copied, 0.1, 0.2, on("[internal] load build context"))
	s.vertex(0.2, run, 0.2, 0, on(copied))
	s.end(s.at(1))
	e := s.failure("3f2c1d9", "executor failed running [/bin/sh -c test]: exit code: 3", s.at(1))
	if e.Step != run || e.ExitCode != 3 {
		t.Errorf("error is %+v", e)
	}
	s.want(t, `
header
[1/2] COPY . .                                    0.1s
[2/2] RUN test                                  failed
`)
	for _, message := range []string{"executor failed running [/bin/sh -c npm ci]: exit code: 3",
		`failed to solve: process "/bin/sh -c npm ci" did not complete successfully: exit code: 3`} {
		if e := newScreen().failure("3f2c1d9", message, s.at(1)); e.Step != "RUN npm ci" || e.ExitCode != 3 {
			t.Errorf("error is %+v", e)
		}
	}
	if e := newScreen().failure("3f2c1d9", "failed to solve: rpc error: no such file", s.at(1)); e.Step != "" {
		t.Errorf("error is %+v", e)
	}
}
