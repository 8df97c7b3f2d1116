package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/proxy"
)

var (
	testNow     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	testNetwork = engine.Network{ID: "net", App: "shop", Subnet: netip.MustParsePrefix("10.192.0.0/22"),
		Automatic: netip.MustParsePrefix("10.192.2.0/23"), Gateway: netip.MustParseAddr("10.192.0.1")}
)

func at(n int) netip.Addr { return netip.AddrFrom4([4]byte{10, 192, 0, byte(n)}) }

func upstreams(ns ...int) (list []netip.AddrPort) {
	for _, n := range ns {
		list = append(list, netip.AddrPortFrom(at(n), 5000))
	}
	return list
}

// running is an instance of release v, whose attempt is "a<v>".
func running(id, name string, v int, address int) engine.Instance {
	var typ string
	var index int
	fmt.Sscanf(strings.ReplaceAll(strings.TrimPrefix(name, "shop."), ".", " "), "%s %d", &typ, &index)
	return engine.Instance{ID: id, Name: name, App: "shop", Kind: engine.KindDeploy, Type: typ, Index: index,
		Release: v, Attempt: fmt.Sprint("a", v), Image: fmt.Sprint("img", v), Address: at(address), Status: engine.StatusRunning}
}

func ended(i engine.Instance) engine.Instance {
	i.Status = engine.StatusExited
	return i
}

func want(v int, procs ...string) Desired {
	d := Desired{App: "shop", Release: v, Attempt: fmt.Sprint("a", v), Port: 5000, Network: true,
		Route: &proxy.Route{App: "shop", Release: v}, Images: map[string]bool{fmt.Sprint("img", v): true}}
	for _, p := range procs {
		typ, index, _ := strings.Cut(p, ".")
		q := app.Process{Type: typ}
		fmt.Sscan(index, &q.Index)
		d.Want = append(d.Want, q)
	}
	return d
}

func observation(v int, live []netip.AddrPort, instances ...engine.Instance) Observation {
	w := Observation{Network: testNetwork, Now: testNow}
	w.Instances = instances
	if v != 0 {
		w.Live = &proxy.Route{App: "shop", Release: v, Upstreams: live}
	}
	return w
}

func TestPlan(t *testing.T) {
	stopped := want(2, "web.1")
	stopped.Stopped = true
	restore := want(2, "web.1")
	restore.StartEnded = true
	bound := want(2, "web.1")
	bound.Want[0].HostPort, bound.Route = 20000, nil
	held := running("old", "shop.web.1", 1, 2)
	held.HostPort = 20000
	listening := want(2, "web.1")
	listening.Listener = netip.MustParseAddrPort("192.0.2.7:8080")
	outside := Desired{App: "shop", Route: &proxy.Route{App: "shop"}, Listener: listening.Listener}
	due := want(2, "web.1")
	due.Retiring = map[string]time.Time{"old": testNow.Add(-time.Second)}
	notDue := want(2, "web.1")
	notDue.Retiring = map[string]time.Time{"old": testNow.Add(time.Minute)}
	kept := want(3, "web.1", "worker.1")
	kept.Kept = map[string]app.Identity{"worker": {Release: 2, Attempt: "a2"}}

	alone := want(2, "web.1", "worker.1", "worker.2")
	alone.Want[1].Alone, alone.Want[2].Alone = true, true
	again := want(2, "clock.1", "clock.2", "web.1") // clock.1 runs already
	again.Want[0].Alone, again.Want[1].Alone = true, true
	again.Retiring = map[string]time.Time{"was": testNow}
	rebooted := want(2, "clock.1")
	rebooted.Want[0].Alone, rebooted.StartEnded, rebooted.Route = true, true, nil
	twin := want(2, "web.1")
	twin.Want[0].Alone, twin.Want[0].HostPort, twin.Route = true, 20000, nil
	status := func(i engine.Instance, s engine.Status) engine.Instance { i.Status = s; return i }

	image := observation(2, upstreams(3), running("new", "shop.web.1", 2, 3))
	image.Images = []engine.Image{{ID: "img2"}, {ID: "rejected"}}

	retiringImage := observation(2, upstreams(3), running("new", "shop.web.1", 2, 3), running("old", "x", 1, 2))
	retiringImage.Images = []engine.Image{{ID: "img1"}, {ID: "img2"}}

	renamed := func(d Desired) Desired { d.Former = "was"; return d }
	was := func(i engine.Instance) engine.Instance { i.App = "was"; return i } // its name may be the new one already
	former := func(w Observation) Observation {
		w.Networks = []engine.Network{{ID: "net", App: "shop"}, {ID: "oldnet", App: "was"}}
		w.Images = []engine.Image{{ID: "img1", App: "was"}, {ID: "img2", App: "was"}}
		return w
	}
	having := func(w Observation, ids ...string) Observation {
		for _, id := range ids {
			w.Images = append(w.Images, engine.Image{ID: id, App: "shop"})
		}
		return w
	}
	begun := former(observation(2, upstreams(3), was(running("one", "shop.web.1.x", 2, 3))))
	begun.Live.App = "was"
	oneOff := func(id, client string, status engine.Status, attached bool, deadline time.Duration) engine.Instance {
		return engine.Instance{ID: id, Name: id, App: "shop", Kind: engine.KindRun, Type: "run", Status: status, Client: client,
			Attached: attached, Deadline: testNow.Add(deadline), Image: "img2"}
	}
	oneOffs := observation(2, upstreams(3), running("new", "shop.web.1", 2, 3),
		oneOff("attached", "here", engine.StatusRunning, true, time.Second),
		oneOff("detached", "gone", engine.StatusRunning, false, time.Second),
		oneOff("being started", "here", engine.StatusCreated, false, time.Second),
		oneOff("being removed", "here", engine.StatusExited, true, time.Second),
		oneOff("deserted", "gone", engine.StatusRunning, true, time.Second),
		oneOff("never started", "gone", engine.StatusCreated, false, time.Second),
		oneOff("ended", "here", engine.StatusExited, false, time.Second),
		oneOff("left", "gone", engine.StatusExited, true, time.Second),
		oneOff("late", "here", engine.StatusRunning, true, 0))
	oneOffs.Clients = map[string]bool{"here": true}
	task := func(id string, status engine.Status, attached bool, deadline time.Duration) engine.Instance {
		i := oneOff(id, "gone", status, attached, deadline)
		i.Kind, i.Type = engine.KindCron, "cron"
		return i
	}
	tasks := observation(2, upstreams(3), running("new", "shop.web.1", 2, 3), task("runs", engine.StatusRunning, false, time.Second),
		task("has ended", engine.StatusExited, false, time.Second), task("is late", engine.StatusRunning, false, -CronGrace+time.Second),
		task("of nobody", engine.StatusRunning, true, time.Second), task("is forgotten", engine.StatusExited, false, -CronGrace))
	build := engine.Instance{ID: "build", Name: "shop.build.herokuish", App: "shop", Kind: engine.KindBuild, Type: "build", Status: engine.StatusRunning, Image: "img2"}
	builds := observation(2, upstreams(3), running("new", "shop.web.1", 2, 3), build)
	whileStopped := oneOffs
	whileStopped.Instances = oneOffs.Instances[1:3]
	whileStopped.Live = nil
	restarted := func(i engine.Instance, kind engine.Kind, restarts, limit int, since time.Duration) engine.Instance {
		i.Kind, i.Restarts, i.Policy, i.Started = kind, restarts, engine.RestartPolicy{Name: "on-failure", Max: limit}, testNow.Add(-since)
		return i
	}
	deployed := engine.KindDeploy
	healthy := observation(2, upstreams(1),
		restarted(running("hour", "shop.web.1", 2, 1), deployed, 10, 10, time.Hour),
		restarted(running("less", "shop.worker.1", 2, 2), deployed, 10, 10, time.Hour-time.Second),
		restarted(running("never", "shop.worker.2", 2, 3), deployed, 0, 10, 2*time.Hour),
		restarted(running("endless", "shop.worker.3", 2, 4), deployed, 3, 0, 2*time.Hour),
		restarted(ended(running("over", "shop.worker.4", 2, 5)), deployed, 10, 10, 2*time.Hour))
	halted := stopped
	halted.Route = nil

	for _, test := range []struct {
		name string
		d    Desired
		w    Observation
		want string
	}{
		{"the running containers serve under a new name", renamed(want(2, "web.1")), begun, `
publish v2 at [10.192.0.3:5000]
rename one to shop.web.1
remove image img1: no kept release runs it
adopt image img2: it has the app's former name`},
		{"new containers replace those of the former name", renamed(want(3, "web.1")),
			having(former(observation(2, upstreams(3), was(running("one", "shop.web.1", 2, 3)), running("new", "shop.web.1.a3", 3, 5))), "img3"), `
mark one: the proxy still names them
publish v3 at [10.192.0.5:5000]
deadline one
rename one to shop.web.1.v2-one
rename new to shop.web.1
remove image img1: no kept release runs it`},
		{"only the former name's network is left", renamed(want(3, "web.1")),
			Observation{Observed: engine.Observed{Instances: []engine.Instance{running("new", "shop.web.1", 3, 5)},
				Networks: []engine.Network{{ID: "net", App: "shop"}, {ID: "oldnet", App: "was"}}},
				Network: testNetwork, Now: testNow, Live: &proxy.Route{App: "shop", Release: 3, Upstreams: upstreams(5)}}, `
remove network oldnet: it has the app's former name`},
		{"nothing to do", want(2, "web.1"), observation(2, upstreams(3), running("new", "shop.web.1", 2, 3)), ``},
		{"switch to the containers of a push", want(2, "web.1", "worker.1"),
			observation(1, upstreams(2), running("old", "shop.web.1", 1, 2), running("w1", "shop.worker.1", 1, 4),
				running("new", "shop.web.1.a2", 2, 3), running("w2", "shop.worker.1.a2", 2, 5)), `
mark old: the proxy still names them
publish v2 at [10.192.0.3:5000]
deadline old
rename old to shop.web.1.v1-old
rename new to shop.web.1
rename w1 to shop.worker.1.v1-w1
rename w2 to shop.worker.1
retire shop.worker.1: nothing asks for it`},
		{"web of a rejected push is killed, its worker may finish a job", want(1, "web.1"),
			observation(1, upstreams(2), running("old", "shop.web.1", 1, 2), running("new", "shop.web.1.a2", 2, 3), running("job", "shop.worker.1.a2", 2, 4)), `
kill shop.web.1.a2: it has never served
retire shop.worker.1.a2: nothing asks for it`},
		{"retire after the deadline", due, observation(2, upstreams(3), running("new", "shop.web.1", 2, 3), running("old", "x", 1, 2)), `
retire x: its wait to retire is over
forget old`},
		{"do not retire before the deadline", notDue, observation(2, upstreams(3), running("new", "shop.web.1", 2, 3), running("old", "x", 1, 2)), ``},
		{"a container was removed by hand: the same address needs no reload", want(2, "web.1", "web.2"),
			observation(2, upstreams(3, 4), running("one", "shop.web.1", 2, 3)), `
start web.2 as shop.web.2 at 10.192.0.4: it is missing`},
		{"scaling down drains", want(2, "web.1"),
			observation(2, upstreams(3, 4), running("one", "shop.web.1", 2, 3), running("two", "shop.web.2", 2, 4)), `
mark two: the proxy still names them
publish v2 at [10.192.0.3:5000]
deadline two`},
		{"an ended container stays ended and gets no requests", want(2, "web.1", "web.2"),
			observation(2, upstreams(3, 4), running("one", "shop.web.1", 2, 3), ended(running("two", "shop.web.2", 2, 4))), `
publish v2 at [10.192.0.3:5000]`},
		{"an ended container is started after a reboot", restore, observation(2, upstreams(3), ended(running("new", "shop.web.1", 2, 3))), `
start web.1 as shop.web.1 at 10.192.0.3: it has ended`},
		{"a fixed address takes the place of the processes", listening, observation(2, upstreams(3), running("new", "shop.web.1", 2, 3)), `
publish v2 at [192.0.2.7:8080]`},
		{"a fixed address needs no release", outside, observation(0, nil), `
publish v0 at [192.0.2.7:8080]`},
		{"stopping keeps the container", stopped, observation(2, upstreams(3), running("new", "shop.web.1", 2, 3)), `
publish v2 at []
stop shop.web.1: the app is stopped`},
		{"a host port changes hands after the gate", bound,
			observation(0, nil, held, running("twin", "shop.web.1.a2", 2, 3)), `
rename old to shop.web.1.v1-old
free shop.web.1.v1-old: port 20000
start web.1 as shop.web.1 at 10.192.0.4 on port 20000: it is missing
retire shop.web.1.v1-old: nothing asks for it
retire shop.web.1.a2: nothing asks for it`},
		{"a type that still runs under an earlier release", kept,
			observation(2, upstreams(2), running("w2", "shop.web.1", 2, 2), running("w3", "shop.web.1.a3", 3, 4), running("k", "shop.worker.1", 2, 3)), `
mark w2: the proxy still names them
publish v3 at [10.192.0.4:5000]
deadline w2
rename w2 to shop.web.1.v2-w2
rename w3 to shop.web.1`},
		{"a type that runs alone stops before it starts", alone,
			observation(1, upstreams(2), running("w2", "shop.web.1.a2", 2, 3), running("w1", "shop.web.1", 1, 2),
				running("k1", "shop.worker.1", 1, 4), running("k2", "shop.worker.2", 1, 5), running("k3", "shop.worker.3", 1, 6)), `
yield shop.worker.1: before worker.1 starts
yield shop.worker.2: before worker.1 starts
yield shop.worker.3: before worker.1 starts
start worker.1 as shop.worker.1 at 10.192.0.7: it is missing
start worker.2 as shop.worker.2 at 10.192.0.8: it is missing
mark w1: the proxy still names them
publish v2 at [10.192.0.3:5000]
deadline w1
rename w1 to shop.web.1.v1-w1
rename w2 to shop.web.1`},
		{"all that may begin to run yields, and starts wait for it last", again,
			observation(1, upstreams(2), running("c1", "shop.clock.1", 2, 4), running("w1", "shop.web.1", 1, 2),
				running("was", "shop.clock.2", 2, 5),
				status(running("made", "shop.clock.1.a3", 3, 6), engine.StatusCreated),
				status(running("loop", "shop.clock.2.a3", 3, 7), engine.StatusRestarting),
				status(running("held", "shop.clock.3", 1, 8), engine.StatusPaused),
				ended(running("over", "shop.clock.4", 1, 9))), `
rename w1 to shop.web.1.v1-w1
start web.1 as shop.web.1 at 10.192.0.10: it is missing
yield shop.clock.2: before clock.2 starts
yield shop.clock.1.a3: before clock.2 starts
yield shop.clock.2.a3: before clock.2 starts
yield shop.clock.3: before clock.2 starts
start clock.2 as shop.clock.2 at 10.192.0.11: it is missing
mark w1: the proxy still names them
publish v2 at [10.192.0.10:5000]
deadline w1
retire shop.clock.4: it has ended or the app is stopped
forget was`},
		{"what a rejected push put in the place of a process", want(1, "clock.1", "web.1"),
			observation(1, upstreams(2), running("w1", "shop.web.1", 1, 2), running("w2", "shop.web.1.a2", 2, 3), running("c2", "shop.clock.1.a2", 2, 4)), `
yield shop.clock.1.a2: before clock.1 starts
start clock.1 as shop.clock.1 at 10.192.0.5: it is missing
kill shop.web.1.a2: it has never served`},
		{"an ended process that runs alone starts after a reboot", rebooted,
			observation(0, nil, ended(running("c2", "shop.clock.1", 2, 3)), running("c3", "shop.clock.1.a3", 3, 4)), `
yield shop.clock.1.a3: before clock.1 starts
start clock.1 as shop.clock.1 at 10.192.0.3: it has ended`},
		{"web that runs alone does not run beside its twin", twin, observation(0, nil, running("twin", "shop.web.1.a2", 2, 3)), `
yield shop.web.1.a2: before web.1 starts
start web.1 as shop.web.1 at 10.192.0.4 on port 20000: it is missing`},
		{"an image that a retiring container still runs", notDue, retiringImage, ``},
		{"a build that was killed", want(2, "web.1"), builds, `
kill shop.build.herokuish: its build is over`},
		{"one-off containers have a deadline and a client", want(2, "web.1"), oneOffs, `
retire deserted: its client is gone
retire never started: its client is gone
retire ended: it has ended
retire left: it has ended
retire late: its time to live is over`},
		{"containers of cron tasks are the scheduler's", want(2, "web.1"), tasks, `
retire of nobody: its client is gone
retire is forgotten: its time to live is over`},
		{"an hour forgets restarts", want(2, "web.1", "worker.1", "worker.2", "worker.3", "worker.4"), healthy, `
reset shop.web.1: it has run for an hour since its last restart`},
		{"one-off containers of a stopped app", halted, whileStopped, ``},
		{"images with ids of another image store", want(2, "web.1"),
			having(observation(2, upstreams(3), running("new", "shop.web.1", 2, 3)), "manifest1", "manifest2"), ``},
		{"an image that no release runs", want(2, "web.1"), image, `
remove image rejected: no kept release runs it`},
	} {
		var b strings.Builder
		for _, s := range Plan(test.d, test.w) {
			fmt.Fprintf(&b, "\n%s", s)
		}
		if b.String() != test.want {
			t.Errorf("%s:\ngot%s\nwant%s", test.name, b.String(), test.want)
		}
	}
}

// TestStaleLimit: a limit that the engine made stale is mended at once, as the last step.
func TestStaleLimit(t *testing.T) {
	stale := running("one", "shop.web.1", 2, 3)
	stale.StaleLimit, stale.Started, stale.Policy = true, testNow, engine.RestartPolicy{Name: "on-failure", Max: 10}
	w := observation(2, upstreams(3), stale)
	w.Observed.Images = append(w.Observed.Images, engine.Image{ID: "of nobody", App: "shop"})
	steps := Plan(want(2, "web.1"), w)
	if len(steps) == 0 || steps[len(steps)-1].String() != "reset shop.web.1: the engine has started it and forgotten its restarts" {
		t.Errorf("steps %v", steps)
	}
	dead := ended(stale)
	if steps := Plan(want(2, "web.1"), observation(2, upstreams(3), dead)); len(steps) > 0 && steps[len(steps)-1].Action == ActReset {
		t.Errorf("of an ended process: %v", steps)
	}
}

func TestNextReset(t *testing.T) {
	i := running("one", "shop.web.1", 1, 1)
	i.Restarts, i.Policy, i.Started = 1, engine.RestartPolicy{Name: "on-failure", Max: 10}, testNow.Add(-10*time.Minute)
	later, past, clean := i, i, i
	later.Started = testNow
	past.Started = testNow.Add(-time.Hour) // it is not chosen, or this look has just reset it
	clean.Restarts = 0
	for _, test := range []struct {
		instances []engine.Instance
		want      time.Time
	}{
		{nil, time.Time{}},
		{[]engine.Instance{clean, past, ended(i)}, time.Time{}},
		{[]engine.Instance{past, later, i, later}, testNow.Add(50 * time.Minute)},
	} {
		if got := NextReset(observation(1, nil, test.instances...)); !got.Equal(test.want) {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

// TestLatest: the current image gets the name that Dokku gives it, before the image that has
// it goes, also in a rollback. A name that an image of Dokku has is left to it.
func TestLatest(t *testing.T) {
	d := want(2, "web.1")
	d.Image, d.Images["img1"] = "img2", true
	at := func(tags ...string) Observation {
		w := observation(2, upstreams(3), running("new", "shop.web.1", 2, 3))
		w.Images = []engine.Image{{ID: "img1", App: "shop", Tags: []string{"dokku/shop:latest"}}, {ID: "img2", App: "shop", Tags: tags}, {ID: "old", App: "shop"}}
		return w
	}
	text := func(w Observation) (lines []string) {
		for _, s := range Plan(d, w) {
			lines = append(lines, s.String())
		}
		return lines
	}
	removal := "remove image old: no kept release runs it"
	if got := text(at()); !slices.Equal(got, []string{"tag image img2 as dokku/shop:latest", removal}) {
		t.Errorf("%q", got)
	}
	if got := text(at("dokku/shop:latest")); !slices.Equal(got, []string{removal}) {
		t.Errorf("it has the name: %q", got)
	}
	taken := at()
	taken.Taken = []string{"dokku/shop:latest"}
	if got := text(taken); !slices.Equal(got, []string{removal}) {
		t.Errorf("Dokku has the name: %q", got)
	}
}
