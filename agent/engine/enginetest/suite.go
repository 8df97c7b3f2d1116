package enginetest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dokku/agent/engine"
)

// Run runs the suite on the engine that fixture returns.
func Run(t *testing.T, fixture func(t *testing.T) Fixture) {
	r := &run{Fixture: fixture(t), prefix: "et" + random() + "-"}
	r.image = r.Image(t, r.spoofed())
	for _, test := range []struct {
		name string
		run  func(*testing.T, *run)
	}{
		{"start and observe", startAndObserve},
		{"start twice", startTwice},
		{"start again what stopped", startAgain},
		{"start what cannot run", startFails},
		{"start with a context that ended", startEnded},
		{"labels of the image", spoofedLabels},
		{"name conflict", nameConflict},
		{"address conflict", addressConflict},
		{"host port", hostPort},
		{"restart policy", restartPolicy},
		{"rename", rename},
		{"stop", stop},
		{"stop what ignores it", stopKills},
		{"stop against the policy", stopPolicy},
		{"remove container", removeContainer},
		{"one network", oneNetwork},
		{"network in use", networkInUse},
		{"automatic address", automaticAddress},
		{"image", image},
		{"image in use", imageInUse},
		{"commit an image", commitImage},
		{"image with names", imageNames},
		{"image of two apps", imageOfTwo},
		{"save and load images", saveImages},
		{"save and load what is no image", saveNothing},
		{"forget restarts", forgetRestarts},
		{"process 1", firstProcess},
		{"logs", logs},
		{"follow logs", followLogs},
		{"wait", wait},
		{"wait for what is removed", waitRemoved},
		{"look inside", lookInside},
		{"run once", runOnce},
		{"run once fails", runOnceFails},
		{"run once and cancel", runOnceCancel},
		{"run attached", runAttached},
		{"run attached without input", runAttachedSilent},
		{"run attached to a terminal", runAttachedTTY},
		{"run attached and leave", runAttachedLeave},
		{"run attached what does not exist", runAttachedMissing},
		{"run attached under a taken name", runAttachedTaken},
		{"run attached what prints to nobody", runAttachedUnheard},
		{"exec attached", execAttached},
		{"exec attached to a terminal", execAttachedTTY},
		{"exec attached and leave", execAttachedLeave},
		{"watch", watch},
		{"mounts", mounts},
		{"mount of a folder that is missing", mountMissing},
		{"joined networks", joined},
		{"join a network that is missing", joinMissing},
		{"networks that apps join", sharedNetworks},
		{"names on the own network", ownNames},
		{"ports on addresses of the host", published},
		{"remove a volume", removeVolume},
		{"limits", limits},
		{"memory limit", memoryLimit},
		{"read-only root folder", readOnly},
		{"folders for mounts", folders},
		{"files of mounts", storedFiles},
		{"caches", caches},
		{"what a container has written", written},
		{"about itself", aboutItself},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, r)
		})
	}
}

func aboutItself(t *testing.T, r *run) {
	info, err := r.Host.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if info.Version == "" || info.API == "" || !strings.HasPrefix(info.DataRoot, "/") {
		t.Errorf("the engine says of itself: %+v", info)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Host.Info(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that ended: %v", err)
	}
}

func startAndObserve(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(2, Program{})
	s.Address = a.address(3)
	s.Release, s.Attempt = 12, "0f3a"
	began := time.Now().Add(-time.Second)
	started := a.start(s)

	o, err := a.Host.Observe(a.ctx, a.name)
	a.ok(err)
	equal(t, "number of containers", len(o.Instances), 1)
	i := o.Instances[0]
	equal(t, "what Start returned", started, i)
	if i.Started.Before(began) || i.Started.After(time.Now().Add(time.Second)) {
		t.Errorf("started at %s, expected about %s", i.Started, began)
	}
	equal(t, "instance", i, engine.Instance{
		ID: i.ID, Name: a.name + ".web.2", App: a.name, Kind: engine.KindDeploy, Type: "web", Index: 2,
		Release: 12, Attempt: "0f3a", Image: a.image, Address: s.Address,
		Status: engine.StatusRunning, Started: i.Started, Created: i.Created, Command: i.Command,
	})
	if i.Created.Before(began) || i.Created.After(i.Started) || !strings.HasPrefix(i.Command, s.Command[0]+" ") {
		t.Errorf("created at %s, started at %s as %s", i.Created, i.Started, i.Command)
	}
	equal(t, "networks", len(o.Networks), 1)
	equal(t, "network", o.Networks[0], a.network())

	alone, err := a.Host.Instance(a.ctx, i.ID)
	a.ok(err)
	equal(t, "the instance alone", alone, i)
	_, err = a.Host.Instance(a.ctx, a.name+".missing")
	a.fails(err, engine.ErrNoContainer, a.name+".missing")

	all, err := a.Host.Observe(a.ctx, "")
	a.ok(err)
	found := false
	for _, other := range all.Instances {
		found = found || other == i
	}
	equal(t, "found among all apps", found, true)
}

func startTwice(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{})
	first := a.start(s)
	second, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	equal(t, "the second start's container", second, first)
	a.instances("web.1")
}

func startAgain(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{OnStop: []string{"bye"}})
	s.Address = a.address(1)
	first := a.start(s)
	a.stop(first.ID)
	stopped := a.instance(first.ID)
	equal(t, "status", stopped.Status, engine.StatusExited)
	equal(t, "address while stopped", stopped.Address, s.Address)

	second, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	equal(t, "container", second.ID, first.ID)
	equal(t, "status", second.Status, engine.StatusRunning)
	equal(t, "address", second.Address, s.Address)
	a.instances("web.1")
}

func startFails(t *testing.T, r *run) {
	a := r.bare(t)
	s := a.spec(1, Program{})
	_, err := a.Host.Start(a.ctx, s)
	a.fails(err, engine.ErrNoNetwork, "cannot start web.1 of app "+a.name)

	missing := s
	missing.Image = "dokku/" + a.name + ":missing"
	_, err = a.Host.Start(a.ctx, missing)
	a.fails(err, engine.ErrNoImage, "cannot start web.1 of app "+a.name, missing.Image)

	policy := s
	policy.RestartPolicy = "on-failure:many"
	_, err = a.Host.Start(a.ctx, policy)
	a.fails(err, nil, "on-failure:many")

	a.network()
	outside := s
	outside.Address = a.address(1).Prev().Prev().Prev()
	_, err = a.Host.Start(a.ctx, outside)
	a.fails(err, nil, outside.Address.String())
	a.instances()
}

// fails fails unless err is target (if that is not nil) and names all parts.
func (a *app) fails(err, target error, parts ...string) {
	a.t.Helper()
	if err == nil || target != nil && !errors.Is(err, target) {
		a.t.Errorf("got error %v, want one that is %v", err, target)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			a.t.Errorf("error %q does not name %q", err, part)
		}
	}
}

func startEnded(t *testing.T, r *run) {
	a := r.app(t)
	ctx, cancel := context.WithCancel(a.ctx)
	cancel()
	_, err := a.Host.Start(ctx, a.spec(1, Program{}))
	a.fails(err, context.Canceled)
	a.instances()
}

func spoofedLabels(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{})
	s.Kind, s.Type, s.Index, s.Attempt = engine.KindRun, "", 0, ""
	i := a.start(s)
	equal(t, "app", i.App, a.name)
	equal(t, "kind", i.Kind, engine.KindRun)
	equal(t, "type", i.Type, "")
	equal(t, "attempt", i.Attempt, "")
	o, err := a.Host.Observe(a.ctx, r.spoofed())
	a.ok(err)
	equal(t, "containers of the app that the image claims", len(o.Instances), 0)
}

func nameConflict(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{})
	first := a.start(s)
	for _, change := range []func(*engine.Spec){
		func(s *engine.Spec) { s.Attempt = "def" },
		func(s *engine.Spec) { s.Release++ },
		func(s *engine.Spec) { s.Index++ },
	} {
		other := s
		change(&other)
		_, err := a.Host.Start(a.ctx, other)
		a.fails(err, engine.ErrNameInUse, s.Name)
	}
	a.instances("web.1")
	equal(t, "status of the holder", a.instance(first.ID).Status, engine.StatusRunning)
}

func addressConflict(t *testing.T, r *run) {
	a := r.app(t)
	one, two := a.spec(1, Program{OnStop: []string{"bye"}}), a.spec(2, Program{})
	one.Address = a.address(1)
	two.Address = one.Address
	first := a.start(one)
	_, err := a.Host.Start(a.ctx, two)
	a.fails(err, engine.ErrAddressInUse, "cannot start web.2 of app "+a.name, one.Address.String())
	a.instances("web.1")

	gateway := two
	gateway.Address = a.network().Gateway
	_, err = a.Host.Start(a.ctx, gateway)
	a.fails(err, engine.ErrAddressInUse)
	a.instances("web.1")

	a.stop(first.ID)
	a.start(two)
	_, err = a.Host.Start(a.ctx, one)
	a.fails(err, engine.ErrAddressInUse)
	a.instances("web.1", "web.2")
}

func restartPolicy(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{Output: []string{"up"}, Exits: true, Code: 3})
	s.RestartPolicy = "on-failure:2"
	i, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	last := a.until(i.ID, func(i engine.Instance) bool {
		return i.Status == engine.StatusExited && i.Restarts == 2
	})
	equal(t, "exit code", last.ExitCode, 3)
	equal(t, "starts", strings.Count(a.log(i.ID, engine.LogOptions{}), "up"), 3)

	s = a.spec(2, Program{Exits: true})
	s.RestartPolicy = "on-failure:2"
	i, err = a.Host.Start(a.ctx, s)
	a.ok(err)
	last, err = a.Host.Wait(a.ctx, i.ID)
	a.ok(err)
	equal(t, "restarts after success", last.Restarts, 0)
}

// forgetRestarts: a policy with a limit counts again from zero while the process runs, and
// after a start. Everything else stays.
func forgetRestarts(t *testing.T, r *run) {
	a := r.app(t)
	s := a.spec(1, Program{})
	s.RestartPolicy, s.Limits = "on-failure:1", engine.Limits{Memory: 64 << 20}
	id := a.start(s).ID
	crash := func() engine.Instance {
		started := a.instance(id).Started
		a.Crash(t, id)
		return a.until(id, func(i engine.Instance) bool {
			return i.Running() && i.Started.After(started) || i.Status == engine.StatusExited
		})
	}
	expect := func(what string, i engine.Instance, status engine.Status, restarts int) {
		t.Helper()
		equal(t, "status "+what, i.Status, status)
		equal(t, "restarts "+what, i.Restarts, restarts)
		equal(t, "policy "+what, i.Policy, engine.RestartPolicy{Name: "on-failure", Max: 1})
		equal(t, "limits "+what, i.Limits, s.Limits)
	}
	expect("after a crash", crash(), engine.StatusRunning, 1)
	for range 2 {
		a.ok(a.Host.ForgetRestarts(a.ctx, id))
		expect("that are forgotten", a.instance(id), engine.StatusRunning, 0)
		expect("after a crash", crash(), engine.StatusRunning, 1)
	}
	expect("after the last restart", crash(), engine.StatusExited, 1)
	a.ok(a.Host.ForgetRestarts(a.ctx, id))
	expect("that are forgotten too late", a.instance(id), engine.StatusExited, 0)

	_, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	expect("after a start", a.instance(id), engine.StatusRunning, 0)
	expect("after a crash", crash(), engine.StatusRunning, 1)
	expect("after the last restart", crash(), engine.StatusExited, 1)
	a.ok(a.Host.ForgetRestarts(a.ctx, a.name+".missing"))
}

// until waits until the container is as wanted.
func (a *app) until(id string, wanted func(engine.Instance) bool) engine.Instance {
	a.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		i := a.instance(id)
		if wanted(i) {
			return i
		}
		select {
		case <-tick.C:
		case <-late:
			a.t.Fatalf("container %s stays %+v", id, i)
		}
	}
}
