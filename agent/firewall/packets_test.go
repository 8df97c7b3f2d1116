package firewall

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// within runs f in a network namespace of ip netns. Sockets and processes that f itself makes are
// in it, too.
func within(t *testing.T, namespace string, f func() error) error {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		ns, err := os.Open("/var/run/netns/" + namespace)
		if err == nil {
			defer ns.Close()
			err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// TestPackets: a container on a bridge connects to ports of the host, also to one that has the
// address of a cloud's metadata service. The rules of nft and iptables let pass the web, what is
// opened and what is excepted, and nothing else.
func TestPackets(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("the test needs root, for rules of the firewall: sudo ./install.sh test")
	}
	host, box := fmt.Sprintf("dkh%d", os.Getpid()), fmt.Sprintf("dkc%d", os.Getpid())
	ip := func(line string) {
		t.Helper()
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %s", line, out)
		}
	}
	for _, ns := range []string{host, box} {
		ip("netns add " + ns)
		t.Cleanup(func() { exec.Command("ip", "netns", "del", ns).Run() })
		ip("-n " + ns + " link set lo up")
	}
	ip("-n " + host + " link add dk-packets type bridge")
	ip("-n " + host + " addr add 10.99.0.1/24 dev dk-packets")
	ip("-n " + host + " addr add 169.254.169.254/32 dev lo")
	ip("-n " + host + " link add end type veth peer name eth0 netns " + box)
	ip("-n " + host + " link set end master dk-packets up")
	ip("-n " + host + " link set dk-packets up")
	ip("-n " + box + " addr add 10.99.0.2/24 dev eth0")
	ip("-n " + box + " addr add 10.99.0.3/24 dev eth0")
	ip("-n " + box + " link set eth0 up")
	ip("-n " + box + " route add default via 10.99.0.1")
	for _, port := range []string{":80", ":5432", ":6379"} {
		if err := within(t, host, func() error {
			l, err := net.Listen("tcp4", port)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	reaches := func(from, to string) bool {
		t.Helper()
		err := within(t, box, func() error {
			d := net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			c, err := d.Dial("tcp4", to)
			if err == nil {
				c.Close()
			}
			return err
		})
		if timeout := net.Error(nil); err != nil && !errors.Is(err, syscall.ECONNREFUSED) && !(errors.As(err, &timeout) && timeout.Timeout()) {
			t.Errorf("from %s to %s: %v", from, to, err)
		}
		return err == nil
	}
	for _, backend := range []string{NFT, IptablesNFT, IptablesLegacy} {
		t.Run(backend, func(t *testing.T) {
			r := Root{Name: "dokku", Dir: filepath.Join(t.TempDir(), "rules"), Backend: backend}
			serve := func(rules string) {
				t.Helper()
				if err := within(t, host, func() error { return r.Serve(t.Context(), strings.NewReader(`{"do":"apply","rules":`+rules+`}`)) }); err != nil {
					t.Fatal(err)
				}
			}
			expect := func(when string, want map[string]bool) {
				t.Helper()
				for way, passes := range want {
					from, to, _ := strings.Cut(way, " ")
					if reaches(from, to) != passes {
						t.Errorf("%s: %s, want %t", when, way, passes)
					}
				}
			}
			expect("without rules", map[string]bool{"10.99.0.2 10.99.0.1:6379": true, "10.99.0.2 169.254.169.254:80": true})
			serve(`{"web":[80],"bridges":[{"name":"dk-packets","except":["10.99.0.3"],"open":[{"ports":["5432"]}]}]}`)
			expect("with rules", map[string]bool{"10.99.0.2 10.99.0.1:80": true, "10.99.0.2 10.99.0.1:5432": true, "10.99.0.2 10.99.0.1:6379": false,
				"10.99.0.2 169.254.169.254:80": false, "10.99.0.3 10.99.0.1:6379": true})
			serve(`{"web":[80],"bridges":[{"name":"dk-packets","open":[{"from":"10.99.0.2","metadata":true}]}]}`)
			expect("with other rules", map[string]bool{"10.99.0.2 10.99.0.1:5432": false, "10.99.0.2 169.254.169.254:80": true, "10.99.0.3 169.254.169.254:80": false,
				"10.99.0.3 10.99.0.1:6379": false})
			if err := within(t, host, func() error { return r.Remove(t.Context()) }); err != nil {
				t.Fatal(err)
			}
		})
	}
}
