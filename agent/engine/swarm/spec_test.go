package swarm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"dokku/agent/engine"
	"dokku/agent/engine/node"
)

func spec(change func(*engine.Spec)) engine.Spec {
	s := engine.Spec{App: "shop", Kind: engine.KindDeploy, Type: "web", Index: 2, Release: 7, Attempt: "abc", Name: "shop.web.2", Image: "sha256:1",
		Port: 8080, RestartPolicy: "on-failure:10", Placement: &engine.Placement{Image: "r/shop@sha256:2", Count: 3}}
	if change != nil {
		change(&s)
	}
	return s
}

// expanded runs a text as the template that a swarm makes of it, for a slot.
func expanded(t *testing.T, text, slot string) string {
	t.Helper()
	parsed, err := template.New("").Parse(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	var out bytes.Buffer
	var data struct{ Task struct{ Slot string } }
	data.Task.Slot = slot
	if err := parsed.Execute(&out, data); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return out.String()
}

// TestTemplates: each member has its own DYNO, and every other text reaches the process as it
// was written.
func TestTemplates(t *testing.T) {
	odd := `{{.Task.Slot}} {{{ }} {{"{{"}} {{- x -}}`
	for _, test := range []struct {
		first int
		slot  string
		want  string
	}{{0, "1", "web.1"}, {1, "17", "web.17"}, {2, "1", "web.2"}, {4, "20", "web.23"}} {
		s := spec(func(s *engine.Spec) {
			s.Placement.First, s.Index = test.first, max(test.first, 1)
			s.Env = []string{"DYNO=web." + string(rune('0'+s.Index)), "ODD=" + odd, "BARE", "OTHER=DYNO=web.1"}
			s.Hostname = odd
			s.Mounts = []engine.Mount{{Source: odd, Target: "/" + odd}}
		})
		made, err := service(s, "dokku_shop", false)
		if err != nil {
			t.Fatal(err)
		}
		c := made.TaskTemplate.ContainerSpec
		var env []string
		for _, pair := range c.Env {
			env = append(env, expanded(t, pair, test.slot))
		}
		if want := []string{"DYNO=" + test.want, "ODD=" + odd, "BARE", "OTHER=DYNO=web.1"}; !slices.Equal(env, want) {
			t.Errorf("got %q, want %q", env, want)
		}
		for _, text := range []string{c.Hostname, c.Mounts[0].Source, c.Mounts[0].Target[1:]} {
			if got := expanded(t, text, test.slot); got != odd {
				t.Errorf("%q becomes %q", odd, got)
			}
		}
	}
}

// TestService: what is asked for reaches the swarm.
func TestService(t *testing.T) {
	made, err := service(spec(func(s *engine.Spec) {
		s.Entrypoint, s.Command = []string{"/entry"}, []string{"serve"}
		s.Limits = engine.Limits{Memory: 64, MemoryReservation: 32, NanoCPUs: 5e8}
		s.Placement.Constraints, s.Placement.Preferences, s.Placement.MaxPerNode = []string{"node.labels.zone==a"}, []string{"spread=node.labels.zone"}, 2
		s.Joins, s.Aliases, s.StopTimeout, s.LogSize = []string{"shared"}, []string{"shop.web"}, 7*time.Second, "20m"
		s.Options = engine.Options{Hosts: []string{"db:::1"}, ShmSize: 1 << 20, Tmpfs: map[string]string{"/tmp": "rw,size=64m,mode=1770"}, CapAdd: []string{"NET_ADMIN"},
			Labels: map[string]string{"a": "b", engine.LabelApp: "other"}, Ulimits: map[string][2]int64{"nofile": {1, 2}}, User: "web", ReadOnly: true, StopSignal: "QUIT"}
	}), "dokku_shop", false)
	if err != nil {
		t.Fatal(err)
	}
	c := made.TaskTemplate.ContainerSpec
	labels := c.Labels
	c.Labels, made.Labels = nil, nil
	got, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Name":"shop_web_abc","Labels":null,"TaskTemplate":{"ContainerSpec":{"Image":"r/shop@sha256:2","Command":["/entry"],"Args":["serve"],"User":"web","Init":true,"StopSignal":"QUIT","ReadOnly":true,` +
		`"Mounts":[{"Type":"tmpfs","Target":"/dev/shm","TmpfsOptions":{"SizeBytes":1048576,"Mode":1023}},{"Type":"tmpfs","Target":"/tmp","TmpfsOptions":{"SizeBytes":67108864,"Mode":1016}}],` +
		`"StopGracePeriod":7000000000,"Healthcheck":{"Test":["NONE"]},"Hosts":["::1 db"],"CapabilityAdd":["NET_ADMIN"],"Ulimits":[{"Name":"nofile","Hard":2,"Soft":1}]},` +
		`"Resources":{"Limits":{"NanoCPUs":500000000,"MemoryBytes":64},"Reservations":{"MemoryBytes":32}},"RestartPolicy":{"Condition":"on-failure","Delay":1000000000,"MaxAttempts":10,"Window":600000000000},` +
		`"Placement":{"Constraints":["node.labels.zone==a"],"Preferences":[{"Spread":{"SpreadDescriptor":"node.labels.zone"}}],"MaxReplicas":2},` +
		`"Networks":[{"Target":"dokku_shop","Aliases":["shop.web"]},{"Target":"shared","Aliases":["shop.web"]}],"LogDriver":{"Name":"json-file","Options":{"max-file":"2","max-size":"20m"}},"ForceUpdate":0},` +
		`"Mode":{"Replicated":{"Replicas":3}},"EndpointSpec":{"Mode":"dnsrr","Ports":[{"Protocol":"tcp","TargetPort":8080,"PublishMode":"host"}]}}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if labels["a"] != "b" || labels[engine.LabelApp] != "shop" || labels[engine.LabelDyno] != "" {
		t.Errorf("its containers have the labels %v", labels)
	}
	if _, set := labels[engine.LabelDyno]; !set {
		t.Error("the image's dyno shows through")
	}
}

// TestRestrictedGroup: a group of an isolated app has the rights and the limit of processes too.
func TestRestrictedGroup(t *testing.T) {
	made, err := service(spec(func(s *engine.Spec) { s.Restricted, s.Limits.Pids = true, 64 }), "dokku_shop", false)
	if err != nil {
		t.Fatal(err)
	}
	c := made.TaskTemplate.ContainerSpec
	if got := strings.Join(c.CapabilityAdd, " ") + " without " + strings.Join(c.CapabilityDrop, " "); got != strings.Join(engine.Capabilities, " ")+" without ALL" ||
		c.Privileges == nil || !c.Privileges.NoNewPrivileges || made.TaskTemplate.Resources.Limits.Pids != 64 {
		t.Errorf("%s, %+v, %+v", got, c.Privileges, made.TaskTemplate.Resources.Limits)
	}
}

// TestServiceRefuses: what a service cannot have is named.
func TestServiceRefuses(t *testing.T) {
	for want, change := range map[string]func(*engine.Spec){
		"option uid=5 (a swarm has only size and mode) of --tmpfs /tmp": func(s *engine.Spec) { s.Options.Tmpfs = map[string]string{"/tmp": "uid=5"} },
		"option size=much": func(s *engine.Spec) { s.Options.Tmpfs = map[string]string{"/tmp": "size=much"} },
		`no placement preference "binpack=x": use spread=node.labels.NAME`: func(s *engine.Spec) { s.Placement.Preferences = []string{"binpack=x"} },
	} {
		if _, err := service(spec(change), "x", false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestRestartPolicies(t *testing.T) {
	for text, want := range map[string]string{
		"no":             `{"Condition":"none","Delay":1000000000}`,
		"":               `{"Condition":"none","Delay":1000000000}`,
		"on-failure":     `{"Condition":"on-failure","Delay":5000000000}`,
		"on-failure:2":   `{"Condition":"on-failure","Delay":1000000000,"MaxAttempts":2,"Window":600000000000}`,
		"unless-stopped": `{"Condition":"any","Delay":5000000000}`,
	} {
		if got, _ := json.Marshal(restartPolicy(text)); string(got) != want {
			t.Errorf("%q becomes %s, want %s", text, got, want)
		}
	}
}

func TestIDs(t *testing.T) {
	service := strings.Repeat("a", 25)
	if s, slot, ok := placed(service + ".12"); !ok || s != service || slot != 12 {
		t.Errorf("got %s, %d, %v", s, slot, ok)
	}
	for _, id := range []string{service, service + ".", service + ".x", service + ".1x", service + ".01", service[1:] + ".1", "shop.web.1", strings.Repeat("A", 25) + ".1"} {
		if _, _, ok := placed(id); ok {
			t.Errorf("%s is taken for the id of a placed process", id)
		}
	}
}

// TestStates: what a swarm says of a slot, the newest task first, and what that means.
func TestStates(t *testing.T) {
	made := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	nodes := []engine.Node{{ID: "up", Name: "node1", State: engine.NodeReady, Address: "10.0.0.1"}, {ID: "down", Name: "node2", State: "down", Address: "10.0.0.2"},
		{ID: "silent", Name: "node3", State: engine.NodeReady}, {ID: "unknown", Name: "node4", State: "unknown"}}
	e := &Engine{silent: map[string]bool{"silent": true}}
	for _, test := range []struct {
		replicas int
		tasks    string // STATE@NODE, the oldest first
		status   engine.Status
		node     string
		restarts int
	}{
		{1, "", engine.StatusCreated, "", 0},
		{0, "", engine.StatusExited, "", 0},
		{1, "pending@", engine.StatusCreated, "", 0},
		{1, "preparing@up", engine.StatusCreated, "node1", 0},
		{1, "running@up", engine.StatusRunning, "node1", 0},
		{1, "running@unknown", engine.StatusRunning, "node4", 0},
		{1, "running@down", engine.StatusLost, "node2", 0},
		{1, "running@silent", engine.StatusLost, "node3", 0},
		{1, "running@removed", engine.StatusLost, "", 0},
		{0, "running@silent", engine.StatusExited, "node3", 0},
		{0, "running@up", engine.StatusRunning, "node1", 0},
		{1, "running@down pending@", engine.StatusRestarting, "", 0},
		{1, "running@down running@up", engine.StatusRunning, "node1", 0},
		{1, "failed@up failed@up ready@up", engine.StatusRestarting, "node1", 2},
		{1, "failed@up rejected@up running@up", engine.StatusRunning, "node1", 1},
		{1, "shutdown@down complete@up", engine.StatusExited, "node1", 0},
	} {
		s := swarm.Service{ID: "s", Spec: swarm.ServiceSpec{Mode: swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: new(uint64(test.replicas))}}}}
		s.Spec.Labels = map[string]string{labelMembers: "1"}
		var tasks []swarm.Task
		for n, text := range strings.Fields(test.tasks) {
			state, node, _ := strings.Cut(text, "@")
			at := made.Add(time.Duration(n) * time.Minute)
			tasks = append([]swarm.Task{{ID: text, Slot: 1, NodeID: node, Meta: swarm.Meta{CreatedAt: at, UpdatedAt: at.Add(time.Second)}, Status: swarm.TaskStatus{State: swarm.TaskState(state)}}}, tasks...)
		}
		g := e.view(state{nodes: nodes}).group(s, tasks)
		if len(g.members) != 1 {
			t.Fatalf("%s: %d members", test.tasks, len(g.members))
		}
		if m := g.members[0]; m.Status != test.status || m.Node != test.node || m.Restarts != test.restarts || m.Index != 1 {
			t.Errorf("%d of %q: %s on %q after %d restarts, want %s on %q after %d", test.replicas, test.tasks, m.Status, m.Node, m.Restarts, test.status, test.node, test.restarts)
		}
	}
}

// TestMoments: the clock of a node may be off.
func TestMoments(t *testing.T) {
	made := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for stamp, want := range map[time.Duration]time.Duration{-time.Hour: 0, 3 * time.Second: 3 * time.Second, time.Hour: 5 * time.Second} {
		task := swarm.Task{Meta: swarm.Meta{CreatedAt: made, UpdatedAt: made.Add(5 * time.Second)}, Status: swarm.TaskStatus{Timestamp: made.Add(stamp)}}
		if got := moment(task).Sub(made); got != want {
			t.Errorf("a node that is %s off: %s", stamp, got)
		}
	}
}

func TestChanges(t *testing.T) {
	running := engine.Instance{ID: "s.1", Status: engine.StatusRunning, Node: "a", NodePort: 1}
	with := func(change func(*engine.Instance)) engine.Instance {
		i := running
		change(&i)
		return i
	}
	for _, test := range []struct {
		before, now engine.Instance
		want        engine.Action
	}{
		{engine.Instance{}, running, engine.ActionCreate},
		{running, running, ""},
		{running, with(func(i *engine.Instance) { i.Status = engine.StatusLost }), engine.ActionMove},
		{with(func(i *engine.Instance) { i.Status = engine.StatusLost }), running, engine.ActionStart},
		{running, with(func(i *engine.Instance) { i.Status = engine.StatusExited }), engine.ActionDie},
		{running, with(func(i *engine.Instance) { i.Restarts = 1; i.Created = time.Unix(9, 0) }), engine.ActionDie},
		{running, with(func(i *engine.Instance) { i.Node = "b"; i.Created = time.Unix(9, 0) }), engine.ActionStart},
		{running, with(func(i *engine.Instance) { i.NodePort = 2 }), engine.ActionMove},
		{running, with(func(i *engine.Instance) { i.Address = netip.MustParseAddr("10.0.0.9") }), engine.ActionMove},
		{running, with(func(i *engine.Instance) { i.Secure = true }), engine.ActionMove},
	} {
		if got := change(test.before, test.now); got != test.want {
			t.Errorf("from %+v to %+v: %q, want %q", test.before, test.now, got, test.want)
		}
	}
}

// TestHiddenPort: where nodes serve processes, the port of web is not published.
func TestHiddenPort(t *testing.T) {
	for hides, want := range map[bool]string{false: "5000 ", true: "1 5000"} {
		made, err := service(spec(func(s *engine.Spec) { s.Port = 5000 }), "dokku_shop", hides)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(made.EndpointSpec.Ports[0].TargetPort, " ", made.TaskTemplate.ContainerSpec.Labels[node.LabelPort]); got != want {
			t.Errorf("it publishes %s, want %s", got, want)
		}
	}
}
