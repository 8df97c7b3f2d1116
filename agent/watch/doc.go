// Package watch is the agent's loop: it decides when to reconcile which app. Package
// agent does the reconciling. It imports agent, app, cron, deploy, engine, event, proc, repo and
// store.
//
// # Decisions
//
// The loop is level-triggered. An event only makes an app due; reconciling compares the
// desired state with the observed one. A lost event costs at most a delay until the next
// look (sweepEvery), and everything that the loop remembers may be lost.
//
// Requests to an app on a swarm must follow its processes within seconds, and the swarm may say
// something between two looks of the engine's watch that no event tells. So the loop looks again
// every 5 s while a web process has no place in the route, and once after each change of the
// route. Events about such a process shorten the pause after a failure to 10 s. Processes that
// retire are stopped beside the loop: one may take its whole stop timeout, in which a node may
// die.
//
// When the engine comes back, the loop also starts ended containers, because the
// engine does not restart them after a reboot.
//
// A process that has run for an hour has its restarts forgotten (see package plan). The loop
// looks at that moment, because a crash before the next sweep would count them once more.
//
// The agent also records why and when processes ended (dokku/ends.json), for the command
// logs. The engine forgets the exit code of a process once it restarts it, and its events
// after 256 others, such as the runs of HEALTHCHECKs. Recording waits for no lock: a deploy
// holds the app's for minutes. Only the end of a process that should run is recorded: not
// what an operation stops, and not what a gate rejects. The record is a log. Nothing else
// reads it, and it may have gaps; logs shows the last end of a container as the engine knows
// it where the agent has no record.
//
// The engine's build cache grows with each build, and engines before Docker 23 do not bound it. The loop
// prunes it to the setting cache-size, after builds and every hour, least recently used
// first. It needs no event of a build's end: a build writes the app's manifest when it
// begins and holds the app's lock until it ends. The caches of buildpacks are volumes. Their
// size would have the engine walk through all files of all volumes, so they are not counted;
// each app has one of a kind. Failing is a warning.
//
// With the same look, the other nodes of a swarm lose the images of old releases. Once after its
// start, the agent gives the nodes its own version of the node service (package engine/node): an
// update of the server starts the agent anew.
//
// Services have a loop of their own beside that of the apps: a deploy that waits for a
// database holds up no other service, and a service that does not start no app. When the
// engine comes back, the engine starts the services by itself, and an app starts those that
// it needs first.
//
// The rules of the firewall follow each event and each changed state within a tick or two, and once a minute the
// agent asks root's part whether they are there: "nft flush ruleset" tells nobody. Its call is a rule of sudo
// that logs nothing.
//
// The engine reports no event when the client of a one-off container is killed. So the
// loop checks the clients' processes on each tick.
package watch
