package docker

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	spec "github.com/moby/docker-image-spec/specs-go/v1"
)

func TestTCPPorts(t *testing.T) {
	for s, want := range map[string]string{
		"80/tcp": "[80]", "80": "[80]", "53/udp": "[]", "8000-8002/tcp": "[8000 8001 8002]",
		"": "[]", "0/tcp": "[]", "70000/tcp": "[]", "9-8/tcp": "[]", "x/tcp": "[]",
	} {
		if got := fmt.Sprint(tcpPorts(s)); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}

// TestWeigh: hand-made images have ranges of ports and any number of them, all of which would
// be written out, for each of the ranges.
func TestWeigh(t *testing.T) {
	c := &spec.DockerOCIImageConfig{}
	c.ExposedPorts = map[string]struct{}{"80/tcp": {}, "443": {}, "10-19/udp": {}, "9-8/tcp": {}, "1-65535/sctp": {}}
	c.Volumes = map[string]struct{}{"/a": {}, "/b": {}}
	c.Labels = map[string]string{"one": "12345", "two": ""}
	w := weigh(c)
	if w.Ports != 2+10+1+65535 || w.Volumes != 2 || w.Labels != 2 || w.LabelBytes != 11 || w.Bytes < 100 || w.Bytes > 400 {
		t.Errorf("%+v", w)
	}
}

// TestSlowed: an image with HEALTHCHECK --interval=1ms has the engine start a process a hundred
// times in a second, outside of the limits of its container.
func TestSlowed(t *testing.T) {
	type times struct{ interval, start, timeout time.Duration }
	for given, want := range map[times]times{
		{time.Millisecond, 0, 0}:                          {5 * time.Second, 0, 0},
		{0, time.Millisecond, 0}:                          {0, time.Second, 0},
		{time.Minute, 0, time.Millisecond}:                {time.Minute, 0, time.Second},
		{time.Millisecond, time.Millisecond, time.Minute}: {5 * time.Second, time.Second, time.Minute},
	} {
		h := &container.HealthConfig{Test: []string{"CMD", "true"}, Interval: given.interval, StartInterval: given.start, Timeout: given.timeout, Retries: 7, StartPeriod: time.Hour}
		s := slowed(h)
		if s == nil || (times{s.Interval, s.StartInterval, s.Timeout}) != want || s.Retries != 7 || s.StartPeriod != time.Hour || s.Test[1] != "true" {
			t.Errorf("%v: %+v, want %v", given, s, want)
		}
	}
	for _, h := range []*container.HealthConfig{nil, {}, {Test: []string{"NONE"}}, {Interval: 5 * time.Second, Timeout: time.Second, StartInterval: time.Second}} {
		if s := slowed(h); s != nil {
			t.Errorf("%+v becomes %+v", h, s)
		}
	}
}

// TestUnfiltered: what engines say of their filter of system calls.
func TestUnfiltered(t *testing.T) {
	for options, want := range map[string]bool{
		"name=apparmor name=seccomp,profile=default":    false, // 20.10
		"name=seccomp,profile=builtin name=cgroupns":    false, // 23
		"name=seccomp,profile=/etc/docker/seccomp.json": false,
		"name=apparmor name=seccomp,profile=unconfined": true,
		"name=apparmor name=cgroupns":                   true,
		"":                                              true,
	} {
		if got := unfiltered(strings.Fields(options)); got != want {
			t.Errorf("%q: %t, want %t", options, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	got := plain(`Error response from daemon: failed to create shim task: OCI runtime create failed: ` +
		`runc create failed: unable to start container process: exec: "nosuch": executable file not found in $PATH: unknown`)
	if want := `exec: "nosuch": executable file not found in $PATH`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBridgeName(t *testing.T) {
	one, two := bridgeName("hello"), bridgeName("hello"+strings.Repeat("-long", 11))
	if one == two || len(one) > 15 || len(two) > 15 {
		t.Errorf("got %s and %s", one, two)
	}
}

// TestOfProcess: the engine's name server is not the app's socket.
func TestOfProcess(t *testing.T) {
	var sockets, want []netip.AddrPort
	for _, a := range []string{"[::]:8080", "127.0.0.11:37595", "0.0.0.0:8080", "127.0.0.1:3000", "0.0.0.0:8080"} {
		sockets = append(sockets, netip.MustParseAddrPort(a))
	}
	for _, a := range []string{"127.0.0.1:3000", "0.0.0.0:8080", "[::]:8080"} {
		want = append(want, netip.MustParseAddrPort(a))
	}
	if got := ofProcess(sockets); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
