package enginetest

import (
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"dokku/agent/engine"
)

// ownNames: a container has further names on its own network, and what joins that network
// from another one reaches it by them.
func ownNames(t *testing.T, r *run) {
	db, a := r.app(t), r.app(t)
	t.Cleanup(a.clean)
	server := db.spec(1, Program{Ports: []int{8080}})
	server.Kind, server.Names, server.Hostname = engine.KindService, []string{"database"}, "database.host"
	i := db.start(server)
	equal(t, "its kind", i.Kind, engine.KindService)

	s := a.spec(1, Program{Dials: []string{"database:8080", server.Name + ":8080"}})
	s.Joins = []string{engine.NetworkName(db.name)}
	equal(t, "what joins prints", a.printed(s), "reached database:8080\nreached "+server.Name+":8080\nready\n")
	other := r.app(t)
	equal(t, "what does not join prints", other.printed(other.spec(1, Program{Dials: []string{"database:8080"}})), "cannot reach database:8080\nready\n")
}

// published: each port is on its address of the host, and no other container gets it, unless
// the engine chooses it.
func published(t *testing.T, r *run) {
	a := r.app(t)
	port := freePort(t)
	local := netip.MustParseAddr("127.0.0.1")
	s := a.spec(1, Program{Ports: []int{8080}})
	s.Publish = []engine.Published{{Port: 8080, Host: local, HostPort: port}}
	a.start(s)
	if r.Dials {
		c, err := net.DialTimeout("tcp", "127.0.0.1:"+strconv.Itoa(port), 10*time.Second)
		a.ok(err)
		c.Close()
	}

	b := r.app(t)
	other := b.spec(1, Program{})
	other.Publish = []engine.Published{{Port: 80, Host: local, HostPort: port}}
	_, err := b.Host.Start(b.ctx, other)
	b.fails(err, engine.ErrPortInUse, strconv.Itoa(port))
	b.instances()
	for n := range 2 { // the engine chooses another one for each
		free := b.spec(n+2, Program{Ports: []int{8080}})
		free.Publish = []engine.Published{{Port: 8080}}
		b.start(free)
	}
}

// removeVolume: a volume goes with its data, unless a container has it.
func removeVolume(t *testing.T, r *run) {
	a := r.app(t)
	volume := a.name + "-volume"
	s := a.spec(1, Program{Writes: []string{"/data/x"}})
	s.Mounts = []engine.Mount{{Source: volume, Target: "/data"}}
	equal(t, "it prints", a.printed(s), "wrote /data/x\nready\n")
	err := a.Host.Remove(a.ctx, engine.Resource{Kind: engine.VolumeKind, ID: volume})
	a.fails(err, engine.ErrInUse, volume)
	a.remove(engine.Container, s.Name)
	a.remove(engine.VolumeKind, volume)
	a.remove(engine.VolumeKind, volume)

	next := a.spec(2, Program{Reads: []string{"/data/x"}})
	next.Mounts = s.Mounts
	equal(t, "the next one prints", a.printed(next), "cannot read /data/x\nready\n")
	a.remove(engine.Container, next.Name)
	a.remove(engine.VolumeKind, volume)
}
