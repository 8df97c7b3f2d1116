// Package deploy carries out operations on one app under its lock: it prepares a push,
// replaces processes without downtime, and makes the engine and the proxy match the
// app's state. Package agent opens the Env and offers the operations.
//
// It imports plan, checks, repo, store, app, the contracts in engine and proxy, and
// build and scale, but no implementation of an engine, a proxy or a builder: Env gets
// those from package agent. Of the engine a deploy uses engine.Engine, engine.Names and
// engine.Networks; the rest of engine.Host is for other operations.
//
// # The order of a deploy
//
// A Session is an app under its lock. Its steps follow each other in this order:
//
//   - Settle (Open): decide about the staged release of an earlier push. The ref's tip
//     is the staged revision: make the release current. The git that would move the ref
//     is dead: drop the release. Else ErrUndecided: release the lock and look again.
//   - Tidy (With, and operations themselves): converge, if settle decided something or
//     the lock's last holder was killed.
//   - Prepare: refuse what git would refuse later, read and validate the control files,
//     build the image, run predeploy and release.
//   - Rollout: start the new processes beside the running ones.
//   - Gate: wait until every new process has passed its checks.
//   - Stage: test the new route, while the processes start. A push then saves the
//     release and the staged record, and git decides.
//   - Commit: git moves the ref and the next settle makes the release current. An
//     operation without a push (ps:scale, ps:restart, config:set) commits with the
//     rename of state.json (promote).
//   - Converge: observe, plan, save the state, execute: publish the route, rename, and
//     retire the old processes. A failed rollout converges too: the state does not name
//     its release, so the plan removes it.
//
// # Decisions
//
// The log of a deploy has what its pusher sees, until the end: the staged record names it,
// so that the process that finishes the push continues it. The containers of a rejected deploy are
// removed at once, so the logs of the failed ones are kept in a file beside it, for
// logs:failed. Rejected: to keep the containers, as Dokku does, since their images and
// names would have to be kept too.
//
// The ref is the commit record of a push. Every holder of the lock settles first, so no
// order of kills leaves the ref and the state apart. Settle reads the owner before the
// ref: in the other order, git could move the ref in between and the release would be
// dropped.
//
// The executor decides nothing. It records all marks in the write that commits, before
// its first call to the engine; see package plan for the order of steps. It stops at the
// first step that fails, except at an image that cannot be removed: the app serves as
// desired without that.
//
// An app that a push creates is provisional until the revision has passed its validation,
// and goes with a push that is refused there: a typing error in the app's name leaves
// nothing. From then on the app is kept, with the log: whoever pushed may have to set a
// variable or another setting first, and a command needs an app. It is stored before the
// build, so a kill at any later point keeps the app too. The values that app.json would
// have set are not kept (see below). An app that nobody touches for app.KeptAge becomes
// provisional again and is removed as one. The first setting, release or script makes it
// stay; store.SaveState decides that, because every change passes through it.
//
// predeploy runs before release, and the engine commits its changes into the image. The
// shell reads the environment from its standard input: an image keeps the environment of
// the container that it was made of, so a variable would outlive config:unset. Both
// commands run with errexit, and with pipefail where the shell has it. They run for a
// push and ps:rebuild only; other operations use the committed image. (Dokku's config:set
// runs release again.)
//
// A release that runs no web while web serves is refused before its build, unless its
// files or the local scale set web to 0. A pushed Procfile with a misspelt web used to
// take the site down.
//
// A route is tested with px.Stage before the commit, and published after it. The first
// port mapping of a route leads to the port on which the release was gated.
//
// A foreground operation leaves stops to a running agent (LeaveStops): a worker may need
// its whole stop timeout to finish a job. StopDue stops without the lock, because a
// retiring container is never wanted again.
//
// A release carries the variables that app.json adds to the config (Release.Sets); the
// commit of the release stores them. A rejected push therefore changes no setting, and a
// generated secret is the same in the containers and in the config.
//
// app.json's scripts.postdeploy runs before the processes start, as in Dokku 0.38. The
// record that it ran is on the disk before it starts, and stays if the deploy is rejected:
// a second run could reset a database, while a missed one is visible at once.
//
// Whether an init is process 1 of a container (ps:set init) belongs to the release, and
// holds for all of its containers: processes, predeploy, release and postdeploy, and
// one-off containers. They all run the image's ENTRYPOINT, and an ENTRYPOINT that has to
// be process 1 (s6-overlay, systemd) refuses to run elsewhere. A container that ps:scale
// adds does as its siblings do. ps:restart applies a changed setting.
//
// Control files are parsed once for a release: Procfile, DOKKU_SCALE and app.json by
// app.Release.ReadFiles, CHECKS by Session.checkPlan, which keeps the result for the
// later calls of the same deploy. CHECKS is not part of app.Control, because its parser
// belongs to package checks, which app may not import.
//
// ps:start of a stopped app makes a new release from the current one, with the present
// config, gated like any other. Starting the old containers again was rejected: they
// would have an outdated config.
//
// A renamed app keeps its resources with the former name, serves with them, and
// replaces them by a restart. Observe and Live return both names' resources until none
// carries the former one. The restart is tried once: if the new processes do not come
// up, the old ones still serve.
//
// A restored app appears stopped, with a mark that it has to be started (app.Restored).
// Revive starts it like a deploy, from the restored image or by a build of the deployed
// revision. It tries once: an app that does not come up stays stopped. After a kill in
// between, the agent tries again.
//
// # Power loss
//
// A reported operation survives a power loss. Every lasting change goes through package
// disk, and settle syncs the ref and its folders (repo.SyncRefs) before the state says
// that a push is deployed: git syncs files, but no folders.
//
// After a power loss a ref that git had accepted may be on the disk without its content
// or its objects. Then restoreRef gives it the former value from the staged record, and
// the push is undone. It does so only after a boot, because a killed process takes
// nothing from the disk.
package deploy
