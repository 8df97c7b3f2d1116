package command

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"time"

	"dokku/agent"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
)

// A clustered runs commands on a server whose engine is in memory.
type clustered struct {
	t      *testing.T
	server *agent.Server
	host   *memory.Engine
	root   string
}

func newClustered(t *testing.T) *clustered {
	f := newFixture(t)
	server, err := agent.Open(f.root)
	if err != nil {
		t.Fatal(err)
	}
	c := &clustered{t: t, server: server, host: memory.New(), root: f.root}
	server.Env.Machine = c.host
	return c
}

// says runs a command line, whose exit code and output have to be these. SECRET stands for
// a token.
func (c *clustered) says(line string, code int, want string) {
	c.t.Helper()
	var out bytes.Buffer
	got := Execute(c.t.Context(), cli.Env{Root: c.root, Server: c.server, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Version: "1.2.3"}, strings.Fields(line))
	text := regexp.MustCompile(`SWMTKN-1-[0-9a-f]+`).ReplaceAllString(out.String(), "SECRET")
	if got != code || text != want {
		c.t.Errorf("dokku %s\n got %d\n%s\nwant %d\n%s", line, got, text, code, want)
	}
}

func (c *clustered) join(address string, role engine.Role) *memory.Engine {
	c.t.Helper()
	token, err := c.host.JoinToken(c.t.Context(), role, false)
	if err != nil {
		c.t.Fatal(err)
	}
	m := memory.New()
	if err := m.Join(c.host.Swarm(), address, token); err != nil {
		c.t.Fatal(err)
	}
	return m
}

func TestClusterCommands(t *testing.T) {
	c := newClustered(t)
	none := " !     this server is in no swarm: dokku cluster:init makes one\n"
	c.says("cluster:nodes", 1, none)
	c.says("cluster:join-token", 1, none)
	c.says("cluster:drain x", 1, none)
	c.says("cluster:rotate-certificates", 1, none)
	c.says("cluster:drain", 1, " !     No node specified\n !     Usage: dokku cluster:drain NODE\n")
	c.says("cluster:leave", 0, "-----> This server is in no swarm\n")
	c.says("cluster:report", 0, "=====> Cluster information\n       Cluster state:                 none\n")

	bind := "docker network rm docker_gwbridge >/dev/null 2>&1 || true; docker network create -o com.docker.network.bridge.enable_icc=false -o com.docker.network.bridge.host_binding_ipv4=127.0.0.1 -o com.docker.network.bridge.name=docker_gwbridge docker_gwbridge"
	line := "       To let another server run processes, run there:\n       " + bind + "\n       docker swarm join --token SECRET 10.0.0.1:2377\n       To make it a manager too: dokku cluster:join-token manager\n"
	c.says("cluster:init --advertise-addr 10.0.0.1", 0, "-----> This server is the first manager of a swarm, at 10.0.0.1\n"+line)
	c.says("cluster:init", 0, "-----> This server is a manager of a swarm already, at 10.0.0.1\n"+line)
	c.says("cluster:init --advertise-addr 10.0.0.2", 1, " !     this server is in a swarm already, and the others reach it at 10.0.0.1, not at 10.0.0.2: to change that, dokku cluster:leave --force first\n")
	c.says("cluster:join-token", 0, bind+"\ndocker swarm join --token SECRET 10.0.0.1:2377\n")
	c.says("cluster:join-token manager --rotate", 0, bind+"\ndocker swarm join --token SECRET 10.0.0.1:2377\n")
	c.says("cluster:join-token boss", 1, " !     Invalid role \"boss\", valid values: worker, manager\n")

	c.says("cluster:rotate-certificates", 1, " !     there is no node service yet, and so there are no certificates: it starts with the first process on the swarm\n")
	keys := deploy.NodeKeys(c.server.Env.Store)
	if _, err := keys.Make(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	until := time.Date(2036, 5, 6, 0, 0, 0, 0, time.UTC)
	c.host.SetNodeServices(engine.NodeService{Trouble: "10.0.0.1: connection refused", Until: until})
	c.says("cluster:rotate-certificates", 1, " !     the node service does not serve on 10.0.0.1: connection refused; nothing was changed\n")
	c.host.SetNodeServices(engine.NodeService{Until: until})
	c.says("cluster:rotate-certificates", 0, `-----> Giving the nodes a new authority, beside the old one
-----> Giving new certificates to this server and its front doors
-----> Giving new certificates to the nodes
-----> Taking out the old authority
-----> All nodes and front doors have new certificates, valid until 2036-05-06
`)
	c.host.SetNodeServices()

	worker := c.join("10.0.0.2", engine.RoleWorker)
	c.says("cluster:nodes", 0, `=====> Nodes of the swarm
node      role    state  availability  address   engine  notes
10.0.0.1  leader  ready  active        10.0.0.1  0.0.0   this server
10.0.0.2  worker  ready  active        10.0.0.2  0.0.0
       2 of 2 nodes ready and active; 1 of 1 managers answer, 1 needed: none may fail
       10.0.0.1 lacks capabilities and ulimits of services (from Docker 20), no-new-privileges of services (from Docker 25)
       10.0.0.2 lacks capabilities and ulimits of services (from Docker 20), no-new-privileges of services (from Docker 25)
`)
	c.says("cluster:drain 10.0.0.2", 0, "-----> 10.0.0.2 runs no processes of the swarm any more\n")
	c.says("cluster:drain 10.0.0.2", 0, "-----> 10.0.0.2 is drained already\n")
	c.says("cluster:drain 10.0.0.1", 1, " !     cannot drain 10.0.0.1: no other node could run its processes; let one join first (dokku cluster:join-token), or dokku cluster:activate one\n")
	c.says("cluster:drain node9", 1, " !     no such node: node9; the swarm has 10.0.0.1, 10.0.0.2\n")
	c.says("cluster:activate 10.0.0.2", 0, "-----> 10.0.0.2 may run processes of the swarm\n")
	c.says("cluster:activate 10.0.0.2", 0, "-----> 10.0.0.2 is active already\n")

	worker.Die(true)
	c.says("--quiet cluster:nodes", 1, `10.0.0.1  leader  ready  active  10.0.0.1  0.0.0  this server
10.0.0.2  worker  down   active  10.0.0.2  0.0.0
 !     node 10.0.0.2 (10.0.0.2) is down; to fix: start it, or take it out: docker node rm --force node2
`)
	worker.Die(false)
	c.says("cluster:nodes --format json", 0, `[{"id":"node1","name":"10.0.0.1","role":"manager","leader":true,"reachable":true,"state":"ready","availability":"active","address":"10.0.0.1","engine":"0.0.0","cpus":1,"memory":1073741824,"self":true,"lacks":["capabilities and ulimits of services (from Docker 20)","no-new-privileges of services (from Docker 25)"]},`+
		`{"id":"node2","name":"10.0.0.2","role":"worker","leader":false,"reachable":false,"state":"ready","availability":"active","address":"10.0.0.2","engine":"0.0.0","cpus":1,"memory":1073741824,"self":false,"lacks":["capabilities and ulimits of services (from Docker 20)","no-new-privileges of services (from Docker 25)"]}]`+"\n")
	c.says("cluster:nodes --format xml", 1, " !     Invalid --format \"xml\", valid values: stdout, json\n")

	second := c.join("10.0.0.3", engine.RoleManager)
	c.says("cluster:leave", 1, " !     the swarm needs this manager: it counts as one of 2 managers also when it is gone; on another manager: docker node demote 10.0.0.1, then here again: dokku cluster:leave\n")
	second.Die(true)
	c.says("cluster:nodes", 1, " !     the swarm has lost its quorum\n !     Its managers are 10.0.0.1:2377, 10.0.0.3:2377: start more than half of them. What runs goes on.\n !     If they are lost for ever, this server can go on alone: docker swarm init --force-new-cluster --advertise-addr 10.0.0.1\n")
	c.says("cluster:report", 0, `=====> Cluster information
       Cluster state:                 no quorum
       Cluster role:                  manager
       Cluster address:               10.0.0.1
       Cluster managers:              10.0.0.1:2377 10.0.0.3:2377
`)
	second.Die(false)
	c.says("cluster:leave --force", 0, "-----> This server has left its swarm\n")
	c.says("cluster:leave", 0, "-----> This server is in no swarm\n")
}
