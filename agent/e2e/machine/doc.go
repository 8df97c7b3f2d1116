// Package machine tests a whole server without Docker and nginx: a [dokku/agent.Server]
// with an engine and a proxy in memory, and real files and git repositories. The tests try
// faults, kills, losses of power and crowds of commands on it. It has no product code, and
// may import every package of the product; nothing imports it.
//
// # Tests
//
//   - TestKilledAnywhere kills each operation before each of its changes.
//   - TestFaultMatrix combines each operation, each of its points and each fault.
//   - TestPowerLoss replays the files that a disk may have kept at each moment.
//   - TestCommandsAtTheSameTime runs clients in parallel and looks for one order of their
//     commands that explains all outcomes (see agenttest).
//   - The other tests run one scenario each. The benchmarks need a real server, and
//     compare it with the least work that any deploy by push needs.
//
// The operations are rows of agenttest's table, which package fault runs on a real
// machine as well. The matrix runs in bubbles of testing/synctest: minutes pass at once,
// and a seed decides the order of parallel calls, so that a failed cell fails again.
//
// # Fault seams
//
// Faults enter through five seams. Each is the lowest place that all calls of its kind
// pass:
//
//   - store.Store.Fault runs before each change of the server's files, and its error
//     prevents the change. Its text ("rename state.json") is the label of a cell.
//   - memory.Engine.Fail and memory.Proxy.Fail run before each call of an engine or a
//     proxy in memory. The matrix wraps the proxy instead, because a proxy can also fail
//     after the change.
//   - disk.Disk.Watch runs after each operation on files, with its content. A replay needs
//     only operations that took place, those of nginx's trees among them.
//   - package failpoint is the seam of the built program. Its calls of an engine go through
//     docker.Counted. Normal builds contain none of it.
//
// One hook before each operation of disk.Disk, in place of Store.Fault and of failpoint's
// "file" points, was rejected. A step of the store (the durable replacement of a file) is
// several operations of the disk: the labels, from which the samples and the mutants
// choose cells, and the asserted counts would all change. The disk does not know the
// operation's purpose either, and its temporary names differ in each run. Joining the hook
// and Watch was rejected too: the one decides whether an operation takes place, the other
// records that it did.
package machine
