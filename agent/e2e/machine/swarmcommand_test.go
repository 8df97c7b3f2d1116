package machine

import (
	"regexp"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/command"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
)

// says runs a command line and returns its exit code and what it prints, with ids and times as
// ID and TIME.
func (m *machine) says(line string) (int, string) {
	m.t.Helper()
	var out strings.Builder
	code := command.Execute(m.t.Context(), cli.Env{Root: m.root, Server: m.server, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out}, strings.Fields(line))
	text := regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`).ReplaceAllString(out.String(), "TIME")
	return code, regexp.MustCompile(`\b[0-9a-f]{11}\b`).ReplaceAllString(text, "ID")
}

func (m *machine) saysThat(line string, code int, want string) {
	m.t.Helper()
	if got, text := m.says(line); got != code || text != want {
		m.t.Errorf("dokku %s\n got %d\n%s\nwant %d\n%s", line, got, text, code, want)
	}
}

// named gives the nodes of an app's web processes their names: NODE1 is that of web.1.
func (m *machine) named(text string) string {
	for _, p := range m.engine.Placed("shop", "web") {
		process, node, _ := strings.Cut(p, "@")
		text = strings.ReplaceAll(text, "NODE"+strings.TrimPrefix(process, "web."), node)
	}
	return text
}

// TestSwarmShown: the commands that show processes say on which nodes they are, and reach those
// of this server.
func TestSwarmShown(t *testing.T) {
	m, _ := newSwarm(t)
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		b := behaviour(s)
		b.Exec = func(argv []string) (string, int) { return "", 0 }
		return b
	})
	check(t, m.server.Restart(t.Context(), "shop", event.Log{}))
	m.settle()
	for n, status := range []string{"1", "2", "3"} {
		m.saysThat("ps:report shop --status-web-"+status, 0, "running (CID: ID."+status+")\n")
		m.saysThat("ps:report shop --node-web-"+status, 0, m.named("NODE"+string(rune('1'+n))+"\n"))
	}
	if _, text := m.says("ps:report shop"); !strings.Contains(text, m.named("       Node web 2:                    NODE2\n")) {
		t.Errorf("ps:report says\n%s", text)
	}
	m.saysThat("logs shop -p web -n 1", 0, m.named("TIME app[web.1@NODE1]: web ran\nTIME app[web.2@NODE2]: web ran\nTIME app[web.3@NODE3]: web ran\n"))

	here, there := "", ""
	for _, p := range m.engine.Placed("shop", "web") {
		process, node, _ := strings.Cut(p, "@")
		if node == "10.0.0.1" {
			here = process
		} else {
			there = process
		}
	}
	m.saysThat("enter shop web true", 0, "") // it finds the one that is here
	m.saysThat("enter shop "+here+" true", 0, "")
	_, node, _ := strings.Cut(m.named("@NODE"+strings.TrimPrefix(there, "web.")), "@")
	m.saysThat("enter shop "+there+" true", 0, "")
	m.engine.Fail(func(call string, _ ...any) error {
		if call == "ExecAttached" || call == "Processes" {
			return engine.ErrElsewhere
		}
		return nil
	})
	m.saysThat("enter shop "+there+" true", 1, " !     the process runs on a node of the swarm whose engine does not answer\n"+
		" !     On that node: docker exec -it $(docker ps -q -f name=shop_web_"+m.current().Attempt+"."+strings.TrimPrefix(there, "web.")+".) sh; or in a new container, here: dokku run shop COMMAND\n")
	code, text := m.says("ps shop")
	if code != 0 || !strings.Contains(text, "-----> running processes in container: ID."+strings.TrimPrefix(there, "web.")+" ("+there+") on "+node+"\n       not seen from here; on that node: docker top $(docker ps ") {
		t.Errorf("ps says\n%s", text)
	}
	m.engine.Fail(nil)
	m.engine.Swarm().Die(node, true)
	if _, text := m.says("ps:report shop --problem"); text != there+" is on node "+node+", which does not answer\n" && !strings.Contains(text, there+" is on node "+node+", which does not answer") {
		t.Errorf("of a lost node ps:report says %s", text)
	}
	if _, text := m.says("network:report shop --network-web-listeners"); !strings.Contains(text, ":3000") {
		t.Errorf("network:report says %s", text)
	}
}

// TestSchedulerSet: scheduler:set moves a running app at once, and stores the scheduler of others.
func TestSchedulerSet(t *testing.T) {
	m := newMachine(t, newHistory(t))
	const none = "cannot select docker-swarm: this server is in no swarm: to make it the first manager of one: dokku cluster:init\n"
	m.saysThat("scheduler:set --global selected docker-swarm", 1, " !     "+none)
	m.saysThat("scheduler:set shop selected docker-swarm", 1, "=====> Setting selected to docker-swarm\n !     "+none)
	check(t, m.formSwarm())
	m.saysThat("scheduler:set shop selected k3s", 1, " !     Invalid selected specified: \"k3s\", the schedulers are docker-local, this server alone, and docker-swarm\n")
	m.saysThat("scheduler:set shop selected docker-swarm --no-restart", 0, "=====> Setting selected to docker-swarm\n-----> shop runs by docker-swarm from its next deploy or start on\n")
	m.saysThat("scheduler:set shop selected", 0, "=====> Unsetting selected\n")
	code, text := m.says("scheduler:set shop selected docker-swarm")
	if code != 0 || !strings.HasPrefix(text, "=====> Setting selected to docker-swarm\n-----> Moving app shop to docker-swarm\n-----> Releasing shop v2\n-----> Pushing image to registry\n") {
		t.Errorf("a move ends with %d and says\n%s", code, text)
	}
	m.settle()
	m.spread("web", 2)
	if _, text := m.says("releases:show shop v2"); !strings.Contains(text, "docker-local to docker-swarm") {
		t.Errorf("releases:show says\n%s", text)
	}
	m.saysThat("scheduler:report shop --scheduler-computed-selected", 0, "docker-swarm\n")
	m.saysThat("scheduler-docker-swarm:set shop max-per-node 1", 0, "=====> Setting max-per-node to 1\n       It takes effect with the next deploy or ps:restart\n")
	check(t, m.server.Restart(t.Context(), "shop", event.Log{}))
	m.settle()
	check(t, m.server.Scale(t.Context(), "shop", map[string]int{"web": 3}, false, event.Log{}))
	m.settle()
	m.spread("web", 3) // Swarm counts in each group
	refuses(t, m.server.Scale(t.Context(), "shop", map[string]int{"web": 4}, false, event.Log{}), "no node of the swarm takes the process")
	m.settle()
	m.spread("web", 3)
	m.saysThat("scheduler:set --global selected docker-swarm", 0, "=====> Setting selected to docker-swarm\n")
	m.saysThat("apps:create other", 0, "-----> Creating other...\n")
	if v, err := m.server.View("other"); err != nil || v.Scheduler() != app.SchedulerSwarm {
		t.Errorf("the server's scheduler is %s, %v", v.Scheduler(), err)
	}
}

// TestSwarmOneOffs: one-off containers run on this server, in the network of the processes.
func TestSwarmOneOffs(t *testing.T) {
	m, h := newSwarm(t)
	var joins [][]string
	m.engine.Fail(func(call string, args ...any) error {
		if s, ok := first(args).(engine.Spec); ok && s.Kind != engine.KindDeploy {
			joins = append(joins, s.Joins)
		}
		return nil
	})
	check(t, m.push(h.one, h.two))
	m.consoles()
	_, _, err := m.attached(t.Context(), "cat")
	check(t, err)
	for _, list := range joins {
		if len(list) != 1 || list[0] != engine.OverlayName("shop") {
			t.Errorf("a one-off container joins %v", list)
		}
	}
	if len(joins) < 3 { // predeploy, release, and the one of run
		t.Errorf("%d one-off containers ran", len(joins))
	}
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// TestLeaveWithApps: a server does not leave a swarm that its apps run on, unless somebody
// insists.
func TestLeaveWithApps(t *testing.T) {
	m, _ := newSwarm(t)
	m.saysThat("cluster:leave --force", 1, " !     These apps run on the swarm, and nothing would serve them: shop\n"+
		" !     Move each to this server first: dokku scheduler:set shop selected docker-local; to leave all the same: --abandon-apps\n")
	if _, err := m.engine.Cluster(t.Context()); err != nil {
		t.Errorf("it has left: %v", err)
	}
	check(t, m.server.SetScheduler(t.Context(), "shop", app.SchedulerLocal, true, event.Log{}))
	m.saysThat("cluster:leave --force", 0, "-----> This server has left its swarm\n")

	m, _ = newSwarm(t)
	m.saysThat("cluster:leave --force --abandon-apps", 0, "-----> This server has left its swarm\n")
}
