// Package plan compares the desired with the observed state of one app and returns the
// steps between them. It is pure: it reads no clock, file or engine, and package deploy
// carries the steps out. It imports the data of app, engine and proxy.
//
// # Decisions
//
// Success and failure use the same code. A rejected release is one that the state does
// not name, so the next plan removes its containers. After a crash the next plan starts
// from the state observed then. Undo lists for single operations were rejected: a kill
// would lose them.
//
// The desired route is computed from the state like everything else. A record "proxy
// switched" was rejected, because it could be wrong.
//
// Starts come before the route, and the route before any end. Before the route changes,
// the containers that it names are recorded as retiring without a time (mark). Their
// wait to retire begins when the proxy serves without them (deadline). A crash in
// between therefore ends no request. No step stops an upstream of the live route,
// except for ps:stop, a host port that changes hands (free), and a type that runs alone
// (yield).
//
// A process that runs alone (app.Process.Alone) starts after everything else of its type
// has yielded: containers that run, that the engine may restart, or whose start a killed
// client has left to the engine. They are removed, not only stopped: neither the engine's
// restart policy nor a late start brings back a container that is gone. A missing process
// of any type waits for the containers of a version that was never current, because only
// that version's files may say that the type is exclusive.
//
// An image that no kept release has is removed, unless the engine has none that a
// release has: it then uses another kind of image store, in which the same images have
// other ids.
//
// The image of the current release has the name dokku/APP:latest, by which scripts run it. A
// step of the plan gives it that name, so that it follows pushes, rollbacks and renames, and
// comes back if somebody takes it away. It costs one call, after the switch, where the image
// changed. Rejected: to name the image when it is built, since the push may be rejected.
//
// The engine counts the restarts of a process for ever, and gives it up at the policy's
// limit (on-failure:10). A process that crashes once a week would be down for good after
// ten weeks. So a process that has run for an hour since its last restart has its restarts
// forgotten (reset). The engine still restarts by itself, without the agent. Starting again
// what has used up its restarts was rejected: nine old crashes would leave one restart to an
// app whose database is away for a minute, and the counts that people see would be wrong.
//
// A web process of a version that was never current is killed without time to end: no
// request can be lost with it. A worker gets its stop timeout, because it may have taken
// a job.
//
// # On a swarm
//
// A swarm chooses the nodes, names and addresses of its processes, and starts them again, so
// a plan neither names nor starts one that has ended for good (package deploy makes another
// group for that, Session.StartEnded). The address of a new web process is
// known after its start: the plan ends there, and the next one publishes it. The route has
// the web processes that run, by address and port: processes on one node share the address.
// What is lost with its node, or waits for one, is left out.
//
// While no web process of the current release has an address, the route and all that it
// leads to stay. The former version serves if it is still there. Else nginx has something to
// try, and finds the processes as soon as their nodes are back, before any plan. Rejected: an
// empty route, whose page says that the app has no processes.
//
// A group of processes ends as a whole (engine.Placement), so none of it ends before all
// may: not while one is wanted, drains, or is in the route. Missing processes become a group
// of their own beside the one that serves, which ends without that one. A process too
// many of a group that is wanted goes on without requests: package deploy never asks for a
// count that cuts a group, and starts another group instead. Where a group that retires has the
// same name as one that starts, it ends first, since the start would find it.
//
// Each step prints as one line. Tests compare plans as text, and a property test applies
// plans to random observations until they are empty.
package plan
