package remote

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes a file below a folder that need not exist.
func write(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestPublic(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "192.0.1.1": true, "172.32.0.1": true, "100.128.0.1": true,
		"127.0.0.1": false, "127.9.9.9": false, "::1": false, "0.0.0.0": false, "::": false, "0.1.2.3": false,
		"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "192.168.1.1": false, "100.64.0.1": false,
		"169.254.169.254": false, "fe80::1": false, "fc00::1": false, "fd12::1": false, "fec0::1": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "192.0.2.1": false,
		"::ffff:127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "::7f00:1": false, "2001:0:7f00:1::": false,
		"192.0.0.8": false, "192.0.2.255": false, "192.0.3.0": true, "192.88.99.1": false, "198.19.255.255": false, "198.20.0.0": true, "198.51.100.7": false, "203.0.113.7": false,
		"192.31.196.1": true, "192.52.193.1": true, "192.175.48.1": true, // AS112 and AMT are global
		"64:ff9b:1::1": false, "100::1": false, "100:0:0:1::1": false, "100:0:0:2::1": true, "2001:2::1": false, "2001:10::1": false, "2001:1ff:ffff::1": false, "2001:200::1": true,
		"2001:db8::1": false, "3fff::1": false, "3fff:fff:ffff::1": false, "3fff:1000::1": true, "5f00::1": false, "5f01::1": true, "ff02::1": false,
	} {
		if got := Public(netip.MustParseAddr(text).Unmap()); got != want {
			t.Errorf("%s is public: %t", text, got)
		}
	}
}

// knownHosts has a plain host, one with a port, and one whose name is hashed (github.com).
const knownHosts = `example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
[example.org]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
|1|HASH ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl
`

func TestHosts(t *testing.T) {
	h := Hosts{t.TempDir()}
	if ok, err := h.Allowed("example.com"); ok || err != nil {
		t.Errorf("without files, example.com is allowed: %t, %v", ok, err)
	}
	write(t, filepath.Join(h.Home, ".ssh", "known_hosts"), strings.Replace(knownHosts, "|1|HASH", hashedGitHub, 1))
	write(t, filepath.Join(h.Home, ".netrc"), "machine git.internal login bot password secret\n")
	for host, want := range map[string][2]bool{ // trusted by ssh, allowed
		"example.com": {true, true}, "example.com:22": {true, true}, "example.com:443": {false, true}, "example.com:2222": {false, true},
		"example.org": {false, false}, "example.org:2222": {true, true}, "example.org:443": {false, false},
		"github.com": {true, true}, "github.com:443": {false, true}, "gitlab.com": {false, false},
		"git.internal": {false, true}, "git.internal:3000": {false, true}, "x.git.internal": {false, false},
	} {
		trusted, err := h.Trusts(host)
		must(t, err)
		allowed, err := h.Allowed(host)
		must(t, err)
		if got := [2]bool{trusted, allowed}; got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
	write(t, filepath.Join(h.Home, ".ssh", "known_hosts"), "what is this?\n")
	if _, err := h.Allowed("example.com"); err == nil || !strings.Contains(err.Error(), "known_hosts") {
		t.Errorf("a damaged file: %v", err)
	}
}

// TestDial: a private address is refused by what it is, not by its name.
func TestDial(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	h := Hosts{t.TempDir()}
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		_, err := h.Dial(t.Context(), "tcp", net.JoinHostPort(host, port))
		var private *privateError
		if !errors.As(err, &private) {
			t.Errorf("%s is reached: %v", host, err)
		}
	}
	write(t, filepath.Join(h.Home, ".netrc"), "machine localhost login bot password secret\n")
	c, err := h.Dial(t.Context(), "tcp", net.JoinHostPort("localhost", port))
	must(t, err)
	c.Close()
}

// hashedGitHub is what ssh-keygen -H makes of github.com.
const hashedGitHub = "|1|2H2y4GBi61A8IZa+Zn4x+DO08yM=|zgokRPtUgpjiDFSC6JbQ8wl1x+A="
