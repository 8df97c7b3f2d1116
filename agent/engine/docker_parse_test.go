package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseRoutes(t *testing.T) {
	got := parseRoutes(routes)
	want := prefixes("172.17.0.0/16", "10.192.0.0/12", "192.0.2.0/24")
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestParseListening(t *testing.T) {
	if got := parseListening(listening); !slices.Equal(got, []int{3000, 5000, 8080}) {
		t.Errorf("got %v", got)
	}
}

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
