package swarm

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/pkg/stdcopy"

	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/node"
)

// TestUnservedProcess: an error for a process that is not reached gives the reason that is
// known, and no empty one.
func TestUnservedProcess(t *testing.T) {
	t.Parallel()
	const open = "; dokku-node runs there: open the TCP ports 7947 and 32768 to 65535 between the servers, or see docker service logs dokku-node"
	const said = "cannot serve 172.18.0.3:5000 at 10.1.0.1:49154: address already in use"
	keys := node.Keys{Dir: t.TempDir()}
	if _, err := keys.Make(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	running := swarm.TaskStatus{State: swarm.TaskStateRunning, ContainerStatus: &swarm.ContainerStatus{ContainerID: "c1"}}
	for name, c := range map[string]struct {
		status swarm.TaskStatus
		log    string
		want   string
	}{
		"in use":          {running, said + "\n", "; dokku-node says there: " + said},
		"of another port": {running, "cannot serve 172.18.0.3:5000 at 10.1.0.1:49156: address already in use\n", open},
		"it serves":       {running, said + "\n172.18.0.3:5000 is served at 10.1.0.1:49154\n", open},
		"no reason":       {swarm.TaskStatus{State: swarm.TaskStatePending}, said, "; dokku-node does not run there (pending): docker service ps --no-trunc dokku-node"},
		"rejected": {swarm.TaskStatus{State: swarm.TaskStateRejected, Err: "No such image: x"}, "",
			"; dokku-node does not run there (rejected: No such image: x): docker service ps --no-trunc dokku-node"},
	} {
		var log bytes.Buffer
		stdcopy.NewStdWriter(&log, stdcopy.Stderr).Write([]byte(c.log))
		e := manager(t, map[string]any{"dokku-node": swarm.Service{ID: "s1"}, "tasks": []swarm.Task{{ID: "t1", ServiceID: "s1", NodeID: "n1", Status: c.status}}, "logs": log.Bytes()})
		e = Beside(e.docker, Config{Keys: keys})
		e.guard.engines = map[string]*docker.Engine{"10.1.0.1": e.docker} // it answers for that of the node, too
		m := member{Instance: engine.Instance{Address: netip.MustParseAddr("10.1.0.1")}, task: swarm.Task{NodeID: "n1"}}
		if got := e.unserved(t.Context(), m, netip.MustParseAddrPort("10.1.0.1:49154")); got != c.want {
			t.Errorf("%s: %q\nwant %q", name, got, c.want)
		}
	}
}
