// Package watch is the agent's loop: it decides when to reconcile which app. Package
// agent does the reconciling. It imports agent, engine, event, proc, repo and store.
//
// # Decisions
//
// The loop is level-triggered. An event only makes an app due; reconciling compares the
// desired state with the observed one. A lost event costs at most a delay until the next
// look (sweepEvery), and everything that the loop remembers may be lost.
//
// When the engine comes back, the loop also starts ended containers, because the
// engine does not restart them after a reboot.
//
// A process that has run for an hour has its restarts forgotten (see package plan). The loop
// looks at that moment, because a crash before the next sweep would count them once more.
//
// The engine reports no event when the client of a one-off container is killed. So the
// loop checks the clients' processes on each tick.
package watch
