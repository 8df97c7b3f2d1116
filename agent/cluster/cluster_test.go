package cluster_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"dokku/agent/certs"
	"dokku/agent/cluster"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
)

// swarm returns engines at 10.0.0.1, 10.0.0.2, ... The first managers of them are managers.
func swarm(t *testing.T, nodes, managers int) []*memory.Engine {
	t.Helper()
	list := []*memory.Engine{memory.New()}
	check(t, list[0].InitCluster(t.Context(), "10.0.0.1"))
	for n := 2; n <= nodes; n++ {
		role := engine.RoleWorker
		if n <= managers {
			role = engine.RoleManager
		}
		token, err := list[0].JoinToken(t.Context(), role, false)
		check(t, err)
		m := memory.New()
		check(t, m.Join(list[0].Swarm(), "10.0.0."+strconv.Itoa(n), token))
		list = append(list, m)
	}
	return list
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says fails unless err is target and its text has the parts.
func says(t *testing.T, err, target error, parts ...string) {
	t.Helper()
	if err == nil || target != nil && !errors.Is(err, target) {
		t.Fatalf("got %v, want %v", err, target)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

func TestInit(t *testing.T) {
	m := memory.New()
	c, made, err := cluster.Init(t.Context(), m, "10.0.0.1")
	if err != nil || !made || c.Address != "10.0.0.1" {
		t.Fatalf("%+v, %t, %v", c, made, err)
	}
	for _, again := range []string{"", "10.0.0.1", "10.0.0.1:2377", "eth0"} {
		if same, made, err := cluster.Init(t.Context(), m, again); err != nil || made || same.ID != c.ID {
			t.Errorf("again at %q: %+v, %t, %v", again, same, made, err)
		}
	}
	_, _, err = cluster.Init(t.Context(), m, "10.9.9.9")
	says(t, err, engine.ErrInCluster, "10.0.0.1, not at 10.9.9.9", "dokku cluster:leave --force")

	_, _, err = cluster.Init(t.Context(), swarm(t, 2, 1)[1], "")
	says(t, err, engine.ErrInCluster, "as a worker of 10.0.0.1:2377", "dokku cluster:leave")

	m = memory.New()
	m.Fail(func(call string, _ ...any) error {
		if call == "InitCluster" {
			return engine.ErrLiveRestore
		}
		return nil
	})
	_, _, err = cluster.Init(t.Context(), m, "")
	says(t, err, engine.ErrLiveRestore, `Set "live-restore": false in /etc/docker/daemon.json`)
}

func TestJoinLines(t *testing.T) {
	all := swarm(t, 2, 1)
	lines, err := cluster.JoinLines(t.Context(), all[0], engine.RoleWorker, false)
	check(t, err)
	token, err := all[0].JoinToken(t.Context(), engine.RoleWorker, false)
	check(t, err)
	if len(lines) != 2 || !strings.Contains(lines[0], " -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 ") || lines[1] != "docker swarm join --token "+token+" 10.0.0.1:2377" {
		t.Errorf("%q", lines)
	}
	if rotated, err := cluster.JoinLines(t.Context(), all[0], engine.RoleWorker, true); err != nil || rotated[0] != lines[0] || rotated[1] == lines[1] {
		t.Errorf("%q, %v", rotated, err)
	}
	_, err = cluster.JoinLines(t.Context(), all[1], engine.RoleWorker, false)
	says(t, err, engine.ErrNoManager, "run this on a manager: 10.0.0.1:2377")
	_, err = cluster.JoinLines(t.Context(), memory.New(), engine.RoleWorker, false)
	says(t, err, engine.ErrNoCluster, "dokku cluster:init")
}

func TestFind(t *testing.T) {
	c := engine.Cluster{Nodes: []engine.Node{{ID: "abcd1", Name: "one", Address: "10.0.0.1"}, {ID: "abcd2", Name: "two", Address: "10.0.0.2"}, {ID: "efgh3", Name: "two", Address: "10.0.0.3"}}}
	for word, want := range map[string]string{"one": "abcd1", "10.0.0.3": "efgh3", "abcd2": "abcd2", "efgh": "efgh3"} {
		if n, err := cluster.Find(c, word); err != nil || n.ID != want {
			t.Errorf("%s: %+v, %v", word, n, err)
		}
	}
	_, err := cluster.Find(c, "two")
	says(t, err, nil, "several nodes are called two", "abcd2 (10.0.0.2), efgh3 (10.0.0.3)")
	_, err = cluster.Find(c, "abcd")
	says(t, err, nil, "several nodes")
	_, err = cluster.Find(c, "abc")
	says(t, err, engine.ErrNoNode, "abc; the swarm has one, two, two")
}

func TestDrain(t *testing.T) {
	all := swarm(t, 2, 1)
	for _, want := range []bool{true, false} {
		if n, changed, err := cluster.Set(t.Context(), all[0], "10.0.0.2", engine.NodeDrained); err != nil || changed != want || n.Name != "10.0.0.2" {
			t.Errorf("%+v, %t, %v", n, changed, err)
		}
	}
	_, _, err := cluster.Set(t.Context(), all[0], "10.0.0.1", engine.NodeDrained)
	says(t, err, nil, "cannot drain 10.0.0.1: no other node could run its processes", "cluster:activate")
	if _, changed, err := cluster.Set(t.Context(), all[0], "10.0.0.2", engine.NodeActive); err != nil || !changed {
		t.Errorf("%t, %v", changed, err)
	}
	all[1].Die(true) // it is active, and cannot run anything
	_, _, err = cluster.Set(t.Context(), all[0], "10.0.0.1", engine.NodeDrained)
	says(t, err, nil, "no other node could run")
}

func TestLeave(t *testing.T) {
	if left, err := cluster.Leave(t.Context(), memory.New(), false); left || err != nil {
		t.Errorf("without a swarm: %t, %v", left, err)
	}
	_, err := cluster.Leave(t.Context(), swarm(t, 1, 1)[0], false)
	says(t, err, engine.ErrManagerStays, "the only node", "--force")
	_, err = cluster.Leave(t.Context(), swarm(t, 3, 1)[0], false)
	says(t, err, engine.ErrManagerStays, "the last one", "2 other nodes", "docker node promote")
	_, err = cluster.Leave(t.Context(), swarm(t, 3, 3)[1], false)
	says(t, err, engine.ErrManagerStays, "one of 3 managers", "docker node demote 10.0.0.2")
	all := swarm(t, 2, 2)
	all[1].Die(true)
	_, err = cluster.Leave(t.Context(), all[0], false)
	says(t, err, engine.ErrNoQuorum)
	for _, m := range []*memory.Engine{swarm(t, 2, 1)[1], all[0]} {
		if left, err := cluster.Leave(t.Context(), m, m == all[0]); !left || err != nil {
			t.Errorf("%t, %v", left, err)
		}
	}
}

// TestJudge: each trouble of a swarm, and none.
func TestJudge(t *testing.T) {
	for name, test := range map[string]struct {
		nodes, managers int
		damage          func([]*memory.Engine)
		want            string
	}{
		"one":   {1, 1, nil, "1 of 1 managers answer, 1 needed: none may fail"},
		"fine":  {5, 3, nil, "3 of 3 managers answer, 2 needed: 1 may fail"},
		"two":   {2, 2, nil, "the swarm has 2 managers: if either fails, nobody can change it"},
		"down":  {3, 1, func(all []*memory.Engine) { all[2].Die(true) }, "GRAVE node 10.0.0.3 (10.0.0.3) is down"},
		"risk":  {3, 3, func(all []*memory.Engine) { all[1].Die(true) }, "GRAVE node 10.0.0.2 (10.0.0.2) is down|2 of 3 managers answer: if one more fails, nobody can change the swarm"},
		"empty": {1, 1, func(all []*memory.Engine) { check(t, all[0].SetAvailability(t.Context(), "node1", engine.NodeDrained)) }, "GRAVE no node may run processes"},
	} {
		all := swarm(t, test.nodes, test.managers)
		if test.damage != nil {
			test.damage(all)
		}
		c, err := all[0].Cluster(t.Context())
		check(t, err)
		var got []string
		for _, p := range cluster.Judge(c) {
			if p.Fix == "" {
				t.Errorf("%s: no fix for %s", name, p.Text)
			}
			if p.Grave {
				p.Text = "GRAVE " + p.Text
			}
			got = append(got, p.Text)
		}
		if len(got) == 0 {
			got = append(got, cluster.Quorum(c))
		}
		if text := strings.Join(got, "|"); text != test.want {
			t.Errorf("%s: %s", name, text)
		}
	}
	unreachable := engine.Cluster{Nodes: []engine.Node{{Name: "a", Role: engine.RoleManager, State: engine.NodeReady, Availability: engine.NodeActive, Address: "10.0.0.1"}}}
	if p := cluster.Judge(unreachable); len(p) != 1 || !strings.Contains(p[0].Text, "do not reach a") || !strings.Contains(p[0].Fix, "2377") {
		t.Errorf("%+v", p)
	}
}

// TestJudgeServices: each trouble of the node service, and none.
func TestJudgeServices(t *testing.T) {
	now := time.Now()
	fine := engine.NodeService{Node: engine.Node{Name: "a"}, Until: now.Add(9 * 365 * 24 * time.Hour)}
	for want, change := range map[string]func(*engine.NodeService){
		"": func(*engine.NodeService) {},
		"GRAVE the node service does not serve on a: refused":                                                func(s *engine.NodeService) { s.Trouble = "a: refused" },
		"a also publishes the ports of processes without TLS, at 10.0.0.1":                                   func(s *engine.NodeService) { s.Open = "10.0.0.1" },
		"GRAVE the clock of a is off by 2m0s":                                                                func(s *engine.NodeService) { s.Off = -2 * time.Minute },
		"the node service on a is of another version than this server":                                       func(s *engine.NodeService) { s.Outdated = true },
		"the certificates between this server and the nodes end on " + now.UTC().Format(time.DateOnly):       func(s *engine.NodeService) { s.Until = now.Add(time.Second) },
		"GRAVE the certificates between this server and the nodes end on " + now.UTC().Format(time.DateOnly): func(s *engine.NodeService) { s.Until = now.Add(-time.Millisecond) },
	} {
		s := fine
		change(&s)
		text := ""
		for _, p := range cluster.JudgeServices([]engine.NodeService{s}, now) {
			if text = p.Text; p.Grave {
				text = "GRAVE " + text
			}
			if p.Fix == "" {
				t.Errorf("no fix for %s", text)
			}
		}
		if text != want {
			t.Errorf("got %q, want %q", text, want)
		}
	}
	if got := cluster.Served([]engine.NodeService{fine, {Trouble: "b: refused"}}); !strings.HasPrefix(got, "1 of 2 nodes, certificates until 20") {
		t.Error(got)
	}
	if found := cluster.JudgeServices(nil, now); found != nil || cluster.Served(nil) != "" {
		t.Errorf("without the service: %v", found)
	}
}

func TestLacks(t *testing.T) {
	overlay := []string{"bridge", "overlay"}
	for version, want := range map[string]string{
		"20.10.24+dfsg1": "no-new-privileges of services (from Docker 25)",
		"26.1.5":         "", "19.03.1": "capabilities and ulimits of services (from Docker 20); no-new-privileges of services (from Docker 25)", "dev": "",
	} {
		if got := strings.Join(cluster.Lacks(engine.Node{Engine: version, Networks: overlay}), "; "); got != want {
			t.Errorf("%s: %s", version, got)
		}
	}
	if got := cluster.Lacks(engine.Node{Engine: "26.1.5"}); len(got) != 1 || got[0] != "overlay networks" {
		t.Error(got)
	}
}

// TestValidities: the times come from the managers that answer.
func TestValidities(t *testing.T) {
	now := time.Now()
	pair, err := certs.SelfSigned([]string{"10.0.0.1"}, now)
	check(t, err)
	cert, err := tls.X509KeyPair(pair.Chain, pair.Key)
	check(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	check(t, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	var asked []string
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if asked = append(asked, address); address != "10.0.0.1:2377" {
			return nil, errors.New("refused")
		}
		return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
	}
	all := swarm(t, 4, 3)
	all[2].Die(true)
	c, err := all[0].Cluster(t.Context())
	check(t, err)
	list := cluster.Validities(t.Context(), c, dial)
	if len(list) != 1 || !list[0].Until.Equal(pair.Leaf.NotAfter) || strings.Join(asked, " ") != "10.0.0.1:2377 10.0.0.2:2377" {
		t.Fatalf("%+v of %v", list, asked)
	}
	v := list[0]
	for at, want := range map[time.Time]string{
		now:                      "",
		v.Until.Add(-time.Hour):  "ends on " + v.Until.UTC().Format(time.DateOnly) + " and was not renewed",
		v.Until:                  "has ended on",
		v.From.Add(-time.Minute): "begins in the future",
	} {
		var text string
		for _, p := range v.Judge(at) {
			text += p.Text
		}
		if want == "" && text != "" || !strings.Contains(text, want) {
			t.Errorf("at %s: %q", at, text)
		}
	}
}
