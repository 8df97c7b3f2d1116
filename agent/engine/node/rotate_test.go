package node

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io/fs"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"dokku/agent/certs"
	"dokku/agent/disk"
)

// meet reports whether a client with one set of keys and a node with another one take each
// other.
func meet(t *testing.T, client, node Set) error {
	t.Helper()
	config, err := serverConfig(node.Bundle(), Door, Manager)
	check(t, err)
	own, err := ClientConfig(client.Door)
	check(t, err)
	a, b := net.Pipe()
	defer a.Close()
	served := make(chan error, 1)
	go func() {
		s := tls.Server(b, config)
		err := s.HandshakeContext(t.Context())
		b.Close()
		served <- err
	}()
	c := tls.Client(a, own)
	err = c.HandshakeContext(t.Context())
	if err == nil { // the node judges after the client
		_, _ = c.Read(make([]byte, 1))
	}
	return errors.Join(err, <-served)
}

// TestAdvance: at each stage of a change of the certificates, everybody takes everybody who is
// at that stage or still at the former one. In the end nobody takes an old one, and nothing of
// them is left.
func TestAdvance(t *testing.T) {
	k := Keys{Dir: t.TempDir() + "/nodes"}
	first, err := k.Make(t.Context(), time.Now())
	check(t, err)
	clients := Clients{Keys: k, Role: func(s Set) certs.Pair { return s.Door }}
	was, ids := first, []string{ID(first.Door)}
	client, err := clients.Client()
	check(t, err)
	for _, want := range []Stage{NodesTrust, ClientsChange, NodesChange, ClientsForget, Steady} {
		stage, err := k.Advance(t.Context(), time.Now())
		check(t, err)
		if told, err := k.Stage(); err != nil || stage != want || told != want {
			t.Fatalf("the stage is %d and %d, want %d", stage, told, want)
		}
		now, err := k.Load()
		check(t, err)
		for _, c := range []Set{was, now} {
			for _, n := range []Set{was, now} {
				if err := meet(t, c, n); err != nil {
					t.Errorf("stage %d: %v", stage, err)
				}
			}
		}
		if id := ID(now.Door); id != ids[len(ids)-1] {
			ids = append(ids, id)
		}
		next, err := clients.Client()
		check(t, err)
		if changed := next != client; changed != (stage != Steady) {
			t.Errorf("stage %d: the client has changed: %v", stage, changed)
		}
		was, client = now, next
	}
	if slices.Sort(ids); len(ids) != 3 || len(slices.Compact(ids)) != 3 {
		t.Errorf("proxies get %d certificates: %q", len(ids), ids)
	}
	if meet(t, first, was) == nil || meet(t, was, first) == nil {
		t.Error("old certificates are still taken")
	}
	entries, err := os.ReadDir(k.Dir)
	check(t, err)
	for _, e := range entries {
		if e.Name() != ".lock" && e.Name() != pointerFile && k.Dir+"/"+e.Name()+"/"+Door != was.DoorDir {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// TestAdvanceKilled: a kill after any change to a file leaves keys with which everybody goes on.
func TestAdvanceKilled(t *testing.T) {
	for kill := 1; ; kill++ {
		k := Keys{Dir: t.TempDir() + "/nodes"}
		former, err := k.Make(t.Context(), time.Now())
		check(t, err)
		left, killed := kill, false
		k.Disk.Watch = func(o disk.Op) {
			if o.Kind == disk.Sync {
				return
			}
			if left--; left == 0 {
				panic("killed")
			}
		}
		for range 5 {
			func() {
				defer func() { killed = killed || recover() != nil }()
				former, err = k.Load()
				check(t, err)
				_, err = k.Advance(t.Context(), time.Now())
				check(t, err)
			}()
			if killed {
				break
			}
		}
		if !killed {
			t.Logf("%d kills", kill-1)
			return
		}
		k.Disk.Watch = nil
		now, err := k.Load()
		check(t, err)
		if err := errors.Join(meet(t, former, now), meet(t, now, former)); err != nil {
			t.Errorf("killed at %d: %v", kill, err)
		}
		for stage := Stage(-1); stage != Steady; {
			stage, err = k.Advance(t.Context(), time.Now())
			check(t, err)
		}
		if now, err = k.Load(); err != nil || meet(t, now, now) != nil {
			t.Errorf("killed at %d, and then: %v", kill, err)
		}
	}
}

// TestReadSet: what another server has written is read at each stage of a change. Keys of which
// one is of another authority, or for something else, are refused.
func TestReadSet(t *testing.T) {
	k := Keys{Dir: t.TempDir() + "/nodes"}
	_, err := k.Make(t.Context(), time.Now())
	check(t, err)
	for stage := Steady; stage <= ClientsForget; stage++ {
		s, err := k.Load()
		check(t, err)
		got, err := written(t, s)
		if err != nil || ID(got.Node) != ID(s.Node) || ID(got.Door) != ID(s.Door) || ID(got.Manager) != ID(s.Manager) {
			t.Errorf("stage %d: %v", stage, err)
		}
		_, err = k.Advance(t.Context(), time.Now())
		check(t, err)
	}
	good, err := k.Load()
	check(t, err)
	other, err := newSet(time.Now())
	check(t, err)
	for name, change := range map[string]func(*Set){
		"a door of another authority": func(s *Set) {
			s.Door.Chain = append(pemOf(other.Door), s.Authority.Chain...)
			s.Door.Key = other.Door.Key
		},
		"a manager's certificate in place of the door's": func(s *Set) { s.Door = s.Manager },
		"a node's certificate in place of the manager's": func(s *Set) { s.Manager = s.Node },
		"another key":                  func(s *Set) { s.Node.Key = other.Node.Key },
		"another key of the authority": func(s *Set) { s.Authority.Key = other.Authority.Key },
		"an authority that is none":    func(s *Set) { s.Authority.Chain, s.Authority.Key = s.Door.Chain, s.Door.Key },
	} {
		bad := good
		change(&bad)
		if _, err := written(t, bad); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	if _, err := ReadSet(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
}

// written writes the files of a set, and reads them.
func written(t *testing.T, s Set) (Set, error) {
	t.Helper()
	dir := t.TempDir()
	check(t, disk.Disk{}.Folder(dir+"/set", s.Files()))
	return ReadSet(dir + "/set")
}

// pemOf is the first certificate of a pair.
func pemOf(p certs.Pair) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Leaf.Raw})
}
