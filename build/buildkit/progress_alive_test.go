package buildkit

import (
	"testing"
	"time"

	"dokku/build"
)

// TestProgressAlive: the first sign of life comes after 5 s, and no silence is longer
// than 15 s, not even in the parts that a push hides.
func TestProgressAlive(t *testing.T) {
	s := newScreen()
	for _, c := range []struct{ at, next float64 }{{1, 5}, {6, 15}} {
		if next := s.tick(s.at(c.at)); next != time.Duration(c.next*float64(time.Second)) {
			t.Errorf("at %v: next tick in %v", c.at, next)
		}
	}
	s.vertex(7, "[internal] load metadata for docker.io/library/node:22@sha256:0123", 7, 0)
	s.tick(s.at(21))
	s.vertex(22, "[internal] load metadata for docker.io/library/node:22@sha256:0123", 7, 22)
	s.vertex(22, "[internal] load build context", 17, 17)
	s.sends(22, 45_200_000)
	s.tick(s.at(36))
	if next := s.tick(s.at(37)); next != 4*time.Second {
		t.Errorf("while files are sent: next tick in %v", next)
	}
	s.sends(38, 50_000_000)
	run, base := "[3/3] RUN npm ci", on("[internal] base")
	s.vertex(38, run, 38, 0, base)
	s.vertex(38, "[internal] something slow", 20, 0)
	if next := s.next(s.at(38)); next != build.AnnounceAfter {
		t.Errorf("when a step begins: next tick in %v", next)
	}
	s.tick(s.at(38.5))
	s.tick(s.at(43.5))
	s.tick(s.at(56))
	if next := s.tick(s.at(56)); next != 2500*time.Millisecond {
		t.Errorf("after a sign of life: next tick in %v", next)
	}
	s.log(57, run, "x\n")
	if next := s.next(s.at(57)); next != 5*time.Second {
		t.Errorf("after a line of output: next tick in %v", next)
	}
	s.tick(s.at(61))
	s.tick(s.at(62))
	s.log(63, run, "y\n")
	s.vertex(64, run, 38, 64, base)
	s.vertex(64, "[internal] something slow", 20, 64)
	s.vertex(64, "exporting to image", 64, 0)
	s.tick(s.at(69))
	s.want(t, `
header
still waiting for the engine 6.0s
still looking up node:22 14.0s
still sending files, 45 MB 14.0s
[3/3] RUN npm ci
still running [3/3] RUN npm ci 5.5s
[3/3] RUN npm ci (continued)
  | x
still running [3/3] RUN npm ci 24.0s
[3/3] RUN npm ci (continued)
  | y
                                                 26.0s
still running exporting to image 5.0s
`)
}

// TestProgressPull: a pull shows its layers and megabytes every 5 s.
func TestProgressPull(t *testing.T) {
	from := "[1/2] FROM docker.io/library/node:22"
	for _, prefix := range []string{"", "layer-"} {
		s := newScreen()
		s.tick(s.at(1))
		s.vertex(1, from, 0.5, 0.5)
		s.vertex(1, from, 1, 0)
		for _, l := range []struct{ sec, a, b float64 }{{1.5, 1, 5}, {3, 10, 20}, {6.5, 20, 20}, {11.5, 20, 100}} {
			s.layers(l.sec, from,
				s.layer(prefix+"sha256:aa", l.a, 20), s.layer(prefix+"sha256:bb", l.b, 100),
				s.layer("config-sha256:cc", 1, 1), s.layer("resolve docker.io/library/node:22", 0, 0))
			s.tick(s.at(l.sec))
		}
		s.layers(12, from, s.layer("extracting sha256:aa", 0, 0))
		s.tick(s.at(16.5))
		s.vertex(17, from, 1, 17)
		s.end(s.at(17))
		s.want(t, `
header
[1/2] FROM node:22
still pulling node:22, 1 of 2 layers, 40 MB of 120 MB 5.5s
still extracting node:22, 120 MB 10.5s
still extracting node:22, 120 MB 15.5s
[1/2] FROM node:22                               16.0s
`)
	}
}

// TestProgressHeader: the header waits for the transfer, but not for long. A number that
// is not final is not printed.
func TestProgressHeader(t *testing.T) {
	s := newScreen()
	s.vertex(0.1, "[1/2] FROM a", 0.1, 0.1)
	s.vertex(0.2, "[internal] load build context", 0.2, 0.2)
	if s.text.Len() > 0 {
		t.Errorf("printed %q", s.text.String())
	}
	s.transfer.bytes.Add(111)
	s.tick(s.at(1))
	s.want(t, "header\n")

	s = newScreen()
	s.transfer.begin(s.at(0.2))
	s.transfer.bytes.Add(111)
	s.tick(s.at(1))
	s.want(t, "header, sending files\n")
}
