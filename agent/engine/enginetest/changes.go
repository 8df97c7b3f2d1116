package enginetest

import (
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"dokku/agent/engine"
)

func hostPort(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{Ports: []int{8080}})
	s.Port, s.HostPort = 8080, freePort(t)
	i := a.start(s)
	equal(t, "host port", i.HostPort, s.HostPort)

	other := a.spec(2, Program{})
	other.Port, other.HostPort = 8080, s.HostPort
	_, err := a.Host.Start(a.ctx, other)
	a.fails(err, engine.ErrPortInUse, strconv.Itoa(s.HostPort))
	a.instances("web.1")
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func rename(t *testing.T, r *run) {
	a := r.app(t)
	one, two := a.start(a.spec(1, Program{})), a.start(a.spec(2, Program{}))
	a.ok(a.Host.Rename(a.ctx, one.ID, a.name+".web.9"))
	a.ok(a.Host.Rename(a.ctx, one.ID, a.name+".web.9"))
	a.instances("web.2", "web.9")
	equal(t, "index", a.instance(one.ID).Index, 1)

	err := a.Host.Rename(a.ctx, one.ID, two.Name)
	a.fails(err, engine.ErrNameInUse, two.Name)
	err = a.Host.Rename(a.ctx, a.name+".web.7", a.name+".web.8")
	a.fails(err, engine.ErrNoContainer, a.name+".web.7")
	a.instances("web.2", "web.9")
}

func stop(t *testing.T, r *run) {
	a := r.app(t)
	i := a.start(a.spec(1, Program{OnStop: []string{"bye"}}))
	a.stop(i.ID)
	i = a.instance(i.ID)
	equal(t, "status", i.Status, engine.StatusExited)
	equal(t, "exit code", i.ExitCode, 0)
	equal(t, "finished after start", i.Finished.After(i.Started), true)
	equal(t, "log", a.log(i.ID, engine.LogOptions{}), "ready\nbye\n")
	a.stop(i.ID)
	equal(t, "instance after a second stop", a.instance(i.ID), i)
	a.stop(a.name + ".missing")
}

func stopKills(t *testing.T, r *run) {
	a := r.app(t)
	i := a.start(a.spec(1, Program{IgnoreStop: true}))
	began := time.Now()
	a.ok(a.Host.Stop(a.ctx, i.ID, 500*time.Millisecond))
	if took := time.Since(began); took < 500*time.Millisecond || took > patience {
		t.Errorf("stopped after %s, want at least 500ms", took)
	}
	i = a.instance(i.ID)
	equal(t, "status", i.Status, engine.StatusExited)
	equal(t, "exit code", i.ExitCode, 137)
}

func stopPolicy(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{IgnoreStop: true})
	s.RestartPolicy = "always"
	running := a.start(s)
	s = a.spec(2, Program{Exits: true, Code: 1})
	s.RestartPolicy = "unless-stopped"
	looping, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	a.until(looping.ID, func(i engine.Instance) bool { return i.Status == engine.StatusRestarting })

	a.ok(a.Host.Stop(a.ctx, running.ID, 0))
	a.ok(a.Host.Stop(a.ctx, looping.ID, 0))
	before := a.instance(looping.ID)
	equal(t, "status", a.instance(running.ID).Status, engine.StatusExited)
	equal(t, "status of the looping one", before.Status, engine.StatusExited)
	a.remove(engine.Container, running.ID) // takes the engine a while
	equal(t, "the looping one later", a.instance(looping.ID), before)
}

func removeContainer(t *testing.T, r *run) {
	a := r.app(t)
	i := a.start(a.spec(1, Program{}))
	done := make(chan error)
	for range 3 {
		go func() {
			done <- a.Host.Remove(a.ctx, engine.Resource{Kind: engine.Container, ID: i.ID})
		}()
	}
	for range 3 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	a.instances()
	a.remove(engine.Container, i.ID)
	_, err := a.Host.Wait(a.ctx, i.ID)
	a.fails(err, engine.ErrNoContainer)
}

func oneNetwork(t *testing.T, r *run) {
	a, b := r.bare(t), r.bare(t)
	type result struct {
		network engine.Network
		err     error
	}
	results := make(chan result)
	for n := range 8 {
		app := a
		if n%2 == 1 {
			app = b
		}
		go func() {
			network, err := app.Host.Network(app.ctx, app.name)
			results <- result{network, err}
		}()
	}
	ids := map[string]engine.Network{}
	for range 8 {
		res := <-results
		if res.err != nil {
			t.Error(res.err)
		}
		ids[res.network.ID] = res.network
	}
	equal(t, "networks of two apps", len(ids), 2)
	one, two := a.network(), b.network()
	equal(t, "name", one.Name, engine.NetworkName(a.name))
	equal(t, "app", one.App, a.name)
	equal(t, "the subnets overlap", one.Subnet.Overlaps(two.Subnet), false)
	equal(t, "the gateway is automatic", one.Automatic.Contains(one.Gateway), false)
	equal(t, "the gateway is in the subnet", one.Subnet.Contains(one.Gateway), true)
	equal(t, "the automatic part", one.Subnet.Overlaps(one.Automatic) && one.Automatic.Bits() == one.Subnet.Bits()+1, true)
	equal(t, "observed", fmt.Sprint(a.observe().Networks), fmt.Sprint([]engine.Network{one}))
}

func networkInUse(t *testing.T, r *run) {
	a := r.app(t)
	n := a.network()
	inUse := func() {
		t.Helper()
		err := a.Host.Remove(a.ctx, engine.Resource{Kind: engine.NetworkKind, ID: n.ID})
		a.fails(err, engine.ErrInUse, a.name+".web.1")
	}
	i := a.start(a.spec(1, Program{OnStop: []string{"bye"}}))
	inUse()
	a.stop(i.ID)
	inUse()
	a.remove(engine.Container, i.ID)
	a.remove(engine.NetworkKind, n.ID)
	a.remove(engine.NetworkKind, n.ID)
	equal(t, "networks", len(a.observe().Networks), 0)
}

func automaticAddress(t *testing.T, r *run) {
	a := r.app(t)
	n := a.network()
	i := a.start(a.spec(1, Program{OnStop: []string{"bye"}}))
	if !n.Automatic.Contains(i.Address) {
		t.Errorf("address %s is not in %s", i.Address, n.Automatic)
	}
	a.stop(i.ID)
	equal(t, "address while stopped", a.instance(i.ID).Address.IsValid(), false)
}
