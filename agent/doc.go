// Package agent deploys apps: it prepares what a push brings, and brings what
// runs to what was asked for.
//
// # A push
//
// Prepare runs in git's pre-receive, under the app's lock: it reads the pushed
// revision, builds its image, starts all its processes beside the running ones,
// passes them through the gate and tests the proxy's new configuration. Then it
// writes a staged record and lets git decide. Git moving the ref is the commit
// point. Reconcile makes the staged release current if the ref's tip is its
// revision, and drops it if the git that would have moved the ref is gone.
// Whoever takes the app's lock settles that first, so that no order of kills
// leaves the two apart.
//
// Operations without a push (ps:scale, ps:restart, config:set) start and gate
// in the same way; their commit point is the rename of state.json.
//
// # Convergence
//
// What people asked for is stored (State, Release); what runs is observed. Plan
// is a pure function from both to steps, and an executor carries them out
// without deciding anything. After a crash the next Plan starts from what is
// observed then. Failure and success take the same road: a rejected release is
// one that the state does not name, so that converging removes it.
//
// # Retiring
//
// Before the route changes, the containers that it names are recorded as
// retiring without a time; their time to retire begins only once the proxy has
// been seen to serve without them. A crash between the two ends nobody's
// request. Nothing that the proxy names is ever stopped, except by ps:stop.
//
// # Loss of power
//
// What was reported done survives it: all that changes files for good goes through
// package disk, and what is renamed was synced before, and its folder is after. Git
// syncs the contents of packs and of refs because the repository's configuration
// tells it to, and no folder ever: Reconcile syncs those before the state says that
// a push is deployed, so before anybody is told. What git had accepted when the power
// went may be there in part, a ref without content or without its objects; the
// staged record has the ref's former value, and the push is undone with it. Only
// after a boot: a process that is killed takes nothing from the disk. TestPowerLoss
// plays back what a disk may have kept at every moment of every operation.
//
// # Another name
//
// The labels of what runs cannot be changed. So an app that is renamed keeps
// what carries its former name (State.Renamed), serves with it, and replaces it
// by a restart; the rename of the folder commits. Everything that observes an app
// looks under both names until nothing is left under the former one, and nobody
// else can have that until then. Images are not built again: whose an image is,
// its name says, and not its label.
//
// # One-off containers
//
// A command of run has a container of its own and never the app's lock: deploys go
// on, and nobody waits for one to look at a database. Its container says in
// labels until when it may run and which process started it; an attached one
// ends with that process. A client that can clean up does; the agent compares
// the labels with the clock and with /proc and removes the rest, so that a kill
// at any moment leaves nothing. An apps:destroy at the same time is found out by
// either side, since both write before they look.
//
// # The doctor
//
// Examine looks and changes nothing; Mend does what the agent would do anyway, and
// what an administrator would do with chmod, ln and rm. What somebody may have
// stopped on purpose stays stopped: nginx, sshd, the agent, a process that ended.
// What an app needs is not judged by rules of the doctor's own: it makes the plan
// of a converge and does not carry it out. While somebody has the app's lock, or
// git decides, what runs is on its way and not left over.
//
// An engine may serve several roots. An app's network says in a label which one it is
// of, by a name that each root makes up for itself. Of the apps that a root has, all
// that carries their names is its own: names of containers and networks exist once on
// an engine, so two roots cannot have the same app. What carries another name is
// somebody else's, unless its network has this root's label, or, where an older
// version made it without one, this root's own proxy still leads that name to an
// address of that network: only the root that deployed it can have published that. So
// an app whose folder was removed by hand is found and can be cleared away, and
// another root's is neither reported nor touched. A lock of that name is no evidence:
// a push that was refused leaves one.
//
// # Backup and restore
//
// A backup holds what people asked for, and what they pushed: each app's repository,
// state and releases as they are between two operations, under the app's lock. What
// is observed is not in it, nor what the engine or the host keeps for an app
// (volumes, folders, logs): that is named. Package backup has the file.
//
// A restore unpacks the whole file into a folder of the root, checks it and makes
// each app's folder ready there. One rename then makes the app, or exchanges it with
// the one that it replaces: a kill leaves the one or the other. The app appears
// stopped, with a mark that it is to be started (Restored); a stopped app is one
// that every command already knows how to treat. Its first release comes up as any
// does, from the image that was restored or by a build of the deployed revision.
// That is tried once: an app that does not come up stays stopped. Who is killed in
// between leaves the mark to the agent. The id of the backup stays in the state, so
// that the same command again passes over what it has done and does the rest.
//
// What the server has itself wins over a backup's settings and keys, since both say
// who may do what here. What describes the machine (the engine's address, the pool,
// nginx's commands) is never taken over.
//
// # Files of other versions
//
// A file that a newer version wrote is never overwritten or removed. Since an
// operation may touch any file of an app, whoever opens the app looks at the version
// of each of them first, problem.json and the releases too. A newer server.json stops
// everything, the agent as well. One that a person has edited badly stops commands and
// pushes, which say so; the agent has apps to keep up and goes on with its own copy of
// the last good one. A key that is no setting counts as a bad edit: misspelt, it
// would leave the default in force, and the default of keep_releases removes images.
//
// # Decisions
//
//   - The proxy's route is derived from the state by Plan like everything else;
//     there is no record of "proxy switched", which could lie.
//   - Local scale is not part of a release, so that ps:scale does not restart
//     what it does not change. ps:scale --skip-deploy is kept apart (ScaleNext)
//     until the next release, since converging would apply it at once.
//   - ps:start of a stopped app makes a new release from the current one, with
//     the present config, gated like any other.
//   - Mounts, networks and limits are part of a release, as the config is
//     (Attached): ps:scale gives a new container what its siblings have, and a
//     change waits for the next release.
//   - Mounts of the host lie below one folder, the data root, and are looked up
//     anew for each container, so that a link in a folder that an app writes to
//     leads nobody out of it. Between that look and the engine's own a moment
//     remains: whoever mounts a folder inside another app's trusts that app.
//   - A folder is made by this program, a plain user, and given away by the
//     engine (engine.Storage): no rule of sudo is needed for it.
//   - initial-network, attach-post-create and attach-post-deploy do the same: the
//     networks are joined before a process starts, beside the app's own network,
//     which has the fixed address that the proxy uses. The app's name there leads
//     to every container of it that runs, as in Dokku: while a release is gated,
//     and while the one before retires, to both. The engine takes names only
//     when a container joins, and to join again would cut connections.
//   - run has the present config, also what config:set --no-restart left, as in
//     Dokku: that is how a change is tried. The release's own was rejected.
//   - The host's log names a one-off command's first word, how many arguments it
//     has and which variables were set: arguments and values may be secrets.
//   - The lock polls: flock(2) cannot be cancelled together with a context.
package agent
