package docker

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
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
