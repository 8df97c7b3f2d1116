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
	s.printer = newPrinter(s.zero,
		func(l build.Line) { s.text.WriteString(l.Text + "\n") },
		func(sending bool) { fmt.Fprintf(&s.text, "header, sending %v\n", sending) })
	return s
}

func (s *screen) at(sec float64) time.Time {
	return s.zero.Add(time.Duration(sec * float64(time.Second)))
}

// vertex returns a step; the times are seconds, 0 for not yet.
func (s *screen) vertex(sec float64, name string, started, ended float64, more ...func(*control.Vertex)) {
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
	s.update(&control.StatusResponse{Vertexes: []*control.Vertex{v}}, s.at(sec))
}

func (s *screen) log(sec float64, name, text string) {
	s.update(&control.StatusResponse{Logs: []*control.VertexLog{{Vertex: name, Stream: 1, Msg: []byte(text)}}}, s.at(sec))
}

func (s *screen) want(t *testing.T, want string) {
	t.Helper()
	s.begin()
	if got := strings.ReplaceAll(s.text.String(), strings.Repeat("x", maxLine), "<maxLine>"); got != strings.TrimLeft(want, "\n") {
		t.Errorf("printed\n%s\nwant%s", got, want)
	}
}

func cached(v *control.Vertex) { v.Cached = true }
func failed(message string) func(v *control.Vertex) {
	return func(v *control.Vertex) { v.Error = message }
}

func TestProgress(t *testing.T) {
	s := newScreen()
	s.vertex(0.1, "[internal] load build definition from Dockerfile", 0.1, 0.2)
	s.vertex(0.1, "[internal] load .dockerignore", 0.1, 0.2)
	s.vertex(0.2, "[internal] load metadata for docker.io/library/node:22", 0.1, 0.2)
	from := "[1/3] FROM docker.io/library/node:22@sha256:0123456789abcdef"
	s.vertex(0.3, from, 0, 0)
	s.vertex(0.3, from, 0.3, 0.3, cached)
	s.vertex(0.3, "[internal] load build context", 0.3, 0)
	s.vertex(0.5, "[internal] load build context", 0.3, 0.5)
	s.vertex(0.6, "[2/3] COPY package*.json .", 0.5, 0.6)
	npm := "[3/3] RUN npm ci"
	s.vertex(0.7, npm, 0.7, 0)
	s.log(5, npm, "added 211 packa")
	s.log(6, npm, "ges in 11s\n10%\r50%\r100%\r\n")
	s.log(7, npm, "no newline")
	s.vertex(13, npm, 0.7, 13)
	s.vertex(13, npm, 0.7, 13)
	s.vertex(13, "exporting to image", 13, 14)
	s.want(t, `
header, sending false
[1/3] FROM node:22                              cached
[2/3] COPY package*.json .                        0.1s
[3/3] RUN npm ci
  | added 211 packages in 11s
  | 100%
  | no newline
[3/3] RUN npm ci                                 12.3s
`)
}

func TestProgressSideBySide(t *testing.T) {
	s := newScreen()
	a, b := "[a 1/2] RUN make "+strings.Repeat("a", 60), "[b 1/1] RUN test"
	s.vertex(0.1, a, 0.1, 0)
	s.vertex(0.1, b, 0.1, 0)
	s.log(1, a, "a1\n")
	s.log(1, b, "b1\nb2\n")
	s.log(1, a, "a2\n")
	s.vertex(2, b, 0.1, 2.1)
	s.log(2, a, strings.Repeat("x", maxLine+1))
	s.vertex(3, a, 0.1, 3.1, failed("process did not complete successfully: exit code: 2"))
	s.vertex(3, "[c 1/1] RUN wait", 0.1, 3, failed("context canceled"))
	s.want(t, `
header, sending false
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
[a 1/2] RUN make aaaaaaaaaaaaaaaaaaaaa...  failed 3.0s
[c 1/1] RUN wait                               stopped
`)
	e := s.failure("3f2c1d9", "failed to solve with frontend dockerfile.v0: failed to solve: rpc error: code = Unknown desc = process did not")
	if e.Step != a || e.ExitCode != 2 || e.Reason != "process did not" || e.Output[0] != "a1" || len(e.Output) != 4 {
		t.Errorf("error is %+v", e)
	}
}

// TestProgressUntoldEnd: the engine may drop the last messages of a failed step.
func TestProgressUntoldEnd(t *testing.T) {
	s := newScreen()
	s.vertex(0.1, "[1/2] COPY . .", 0.1, 0.2)
	s.vertex(0.2, "[2/2] RUN test", 0.2, 0)
	s.log(0.3, "[2/2] RUN test", "bad\n")
	e := s.failure("3f2c1d9", "executor failed running [/bin/sh -c test]: exit code: 3")
	if e.Step != "[2/2] RUN test" || e.ExitCode != 3 || len(e.Output) != 1 {
		t.Errorf("error is %+v", e)
	}
	for _, message := range []string{"executor failed running [/bin/sh -c npm ci]: exit code: 3",
		`failed to solve: process "/bin/sh -c npm ci" did not complete successfully: exit code: 3`} {
		if e := newScreen().failure("3f2c1d9", message); e.Step != "RUN npm ci" || e.ExitCode != 3 {
			t.Errorf("error is %+v", e)
		}
	}
	if e := s.failure("3f2c1d9", "failed to solve: rpc error: no such file"); e.Step != "" {
		t.Errorf("error is %+v", e)
	}
}

// TestProgressAlive: no silence is longer than 15 s, not even in the parts that a push hides.
func TestProgressAlive(t *testing.T) {
	s := newScreen()
	next := s.tick(s.at(1))
	if next != 15*time.Second {
		t.Errorf("next tick in %v", next)
	}
	s.tick(s.at(16))
	s.vertex(17, "[internal] load build context", 17, 0)
	s.sent = func() int64 { return 45_200_000 }
	s.tick(s.at(31))
	run := "[3/3] RUN npm ci"
	s.vertex(32, "[internal] load build context", 17, 32)
	s.vertex(32, run, 32, 0)
	s.vertex(32, "[internal] something slow", 20, 0)
	if next := s.tick(s.at(36)); next != 10*time.Second {
		t.Errorf("next tick in %v", next)
	}
	s.tick(s.at(46))
	s.log(50, run, "x\n")
	s.tick(s.at(61)) // 11 s after the last line
	s.tick(s.at(65))
	s.log(66, run, "y\n")
	s.vertex(67, run, 32, 67)
	s.vertex(67, "[internal] something slow", 20, 67)
	s.vertex(67, "exporting to image", 67, 0)
	s.tick(s.at(82))
	s.want(t, `
header, sending false
still waiting for the engine 16.0s
still sending files, 45 MB 14.0s
still running [3/3] RUN npm ci 14.0s
[3/3] RUN npm ci
  | x
still running [3/3] RUN npm ci 33.0s
[3/3] RUN npm ci (continued)
  | y
[3/3] RUN npm ci                                 35.0s
still running exporting to image 15.0s
`)
}

// TestProgressHeader: the header waits for the transfer, but not for long.
func TestProgressHeader(t *testing.T) {
	s := newScreen()
	s.vertex(0.1, "[1/2] FROM a", 0.1, 0.1)
	s.vertex(0.2, "[internal] load build context", 0.2, 0)
	if s.text.Len() > 0 {
		t.Errorf("printed %q", s.text.String())
	}
	s.tick(s.at(1))
	s.want(t, `
header, sending true
[1/2] FROM a                                      0.0s
`)
}
