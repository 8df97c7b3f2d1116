// Package swarm runs processes on the nodes of the Docker Swarm that this machine's engine
// manages, from 20.10 on. Engine is an engine.Host: that of this machine, and beside it the
// processes of Specs with a Placement.
//
// # Decisions
//
// A group (see engine.Placement) is one replicated service, and its members are the slots. Ids
// of members are SERVICE.SLOT; ids of containers have no dot, so the id says who is asked. A
// service of its own for each process was rejected: nodes would be chosen by how much they
// run, and all processes of an app might be on one. Swarm spreads the replicas of one service.
//
// A service's specification never changes but for its number of replicas, so no rolling
// update of Swarm's ever begins. Stop makes the number zero and keeps the former one in a
// label, since Swarm forgets tasks that it has scaled away. What ended that way has no exit
// code. Remove stops first: a group without its service could not be observed while its
// processes end.
//
// Start of any member makes the whole service, so that Swarm places all members at once, and
// then waits for its own. A name of a service exists once; who comes second finds it taken. The
// call that made the service removes it when it fails, with all that others wait for: if one
// member cannot start, the rollout fails as a whole. A label tells each call whether the service
// is its own, also where the answer to its creation was lost. A call that made a service larger leaves
// it so: Swarm would choose which replica goes, and that may be one that serves.
//
// The nodes that run an app are told at once to pull its next image, by the node service: they are most
// likely to run that, too, and Swarm takes 0.25 s to choose nodes and to tell them. Swarm skips the
// pull of an image that is there.
//
// A process whose port another program of its node has, such as a connection that stays for hours, is
// not waited for in a group that is being made: the group is removed, and whoever rolls out starts it
// again, at other ports. In a group that serves already it waits for 75 s, since an ended
// connection keeps a port for 60.
//
// A node that cannot pull, or cannot start the container, ends the wait at once. Swarm would
// try for ever. It does not pass on why a pull failed. That no node takes a process ends
// it after 5 s, since a node may be on its way.
//
// Nodes publish each process's port at one that they choose (mode host), and the task's status
// names it. The node service (package node) serves the process from there, over TLS. Start makes
// that service with the first process, and returns once the node serves the new process: a
// node on which the service does not run is named by its name. Its label says whether processes
// are reached by it, so that all routes change at once: where processes were placed before
// there was a node service, they are reached as they were until all nodes have it. The agent
// gives it a new version of the program after an update. What runs on other nodes is looked
// into through it, too, as is what they have of old images. Swarm's routing mesh was rejected: it needs IPVS, sends requests to processes that
// have not passed the gate, and over one more node. Endpoints have no virtual address (dnsrr).
//
// A node names a port in the status of its task, once. If it has to reach the managers anew at
// that moment, since the manager that it was connected to has died, it says that the task runs
// and leaves out the ports, for good (seen with 20.10: the container publishes its port). So
// whoever reads such a task asks the engine of its node, by the node service, and Start returns
// only once the port is known. Restarting the task was rejected: the process serves.
//
// Templates of a service reach its environment, mounts and host name: DYNO gets the slot's
// number that way, and all other text is made a template for itself. They do not reach labels:
// containers of tasks have an empty com.dokku.dyno. All other labels are those of any process,
// for docker ps on a node. engine/docker leaves containers of tasks out, and never removes one.
//
// A HEALTHCHECK of the image is switched off. Swarm waits for it before it calls a task
// running (30 s by default) and ends what fails it; here the gate decides.
//
// # Restarts
//
// Swarm starts a new container for each restart, perhaps on another node, with the same id of
// the member. It counts moves to other nodes as attempts, so a limit holds for 10 minutes. The
// delay is 1 s, or 5 s without a limit: it does not grow. A policy "no" also means that a
// process is not placed anew when its node dies. Restarts counts the ended tasks that Swarm
// remembers, 4 by default (docker swarm update --task-history-limit). A member that has ended
// for good cannot be started alone: Start returns it as it is.
//
// Swarm kills what has not ended after the Spec's StopTimeout. Stop cannot shorten that, so its
// grace has no effect.
//
// # Nodes
//
// A process is lost if its node is down, or if Watch found it silent. Swarm calls a node down
// after three heartbeats (15 s by default) and then places its processes anew. Watch asks each
// node with processes of ours once a second, at the port that nodes talk to each other
// (7946) and at one that it publishes. Any answer will do, a refusal too: an app that does not
// listen is no matter of its node. If none comes within a second, twice, the node is silent
// until it answers again. So at most three seconds after a node's death its processes
// are lost here, whatever Swarm says. A node whose state is unknown is not lost: all are for a
// moment after another manager became the leader.
//
// What is lost is known to the Watch of this process alone. Commands see what Swarm says.
//
// Nodes stamp their tasks' states by their own clocks. Such a time counts only between those at
// which the managers made and last changed the task. Managers stamp tasks when they make them, and
// the clock of the next leader may be behind: of a slot's tasks the one that is to run is the
// newest, whatever its time. Watch tells of an end by the clock of this machine.
//
// While managers choose another leader, changes wait for up to 20 s.
//
// Observe reports why processes of a swarm may be missing (Unseen) and goes on with those of
// this machine. While a manager loses its quorum, calls wait for up to 20 s.
//
// # Costs
//
// An engine in no swarm is asked for services once in each Observe, beside the other
// questions, and once in 5 s by Watch: 0.3 ms each. With groups, Watch asks for services, tasks
// and nodes each second, or less often where that would take more than a twentieth of the
// time. A look at 1,000 tasks on 50 nodes costs 50 ms of one core (BenchmarkLook), beside what
// the engine needs to write the answer.
//
// No event tells about tasks. While a group starts or ends, its tasks alone are asked for, 25 times
// a second for all of its members together, and a whole look follows a change. Of the time
// of a push, about 0.3 s are Swarm's own: it collects changes for 50 ms before it chooses nodes, for
// 100 ms before it tells them, and for 100 ms before it says what they did.
package swarm
