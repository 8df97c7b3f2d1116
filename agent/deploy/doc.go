// Package deploy carries out operations on one app under its lock: it prepares a push,
// replaces processes without downtime, and makes the engine and the proxy match the
// app's state. Package agent opens the Env and offers the operations.
//
// It imports plan, checks, notify, journal, repo, store, app, the contracts in engine and proxy, and
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
//   - Prepare: refuse what git would refuse later, have package inspect read and judge the
//     files, build the image, run predeploy and release.
//   - Rollout: start the new processes beside the running ones.
//   - Gate: wait until every new process has passed its checks.
//   - Take over: end the old processes of exclusive types, start and gate the new ones.
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
// A rollback is a new release with the image, the control files and the config of an old
// one. The config is part of it, since a config:set may be what broke the app; it becomes
// the app's config, without the variables that were the server's. Settings that lead to
// other places (domains, ports, storage, networks, limits) stay: going back to a folder or
// a name that is gone would be another change, not the former state. The ref stays, because
// the server may not rewrite a branch that people push to; Release.Back remembers its tip.
// No release command runs: there is none that undoes what the newer one did.
//
// The log of a deploy has what its pusher sees, until the end: the staged record names it,
// so that the process that finishes the push continues it. The containers of a rejected deploy are
// removed at once, so the logs of the failed ones are kept in a file beside it, for
// logs:failed. Rejected: to keep the containers, as Dokku does, since their images and
// names would have to be kept too.
//
// A deploy is cancelled by a file beside its log, which its process looks for. Rejected: a
// signal to the process, since an agent deploys too, and since the file says who asked. What
// ends then is the context of the deploy, as after Ctrl-C. From the staged record or the
// commit on nobody looks for the file any more, so that a cancelled deploy has changed
// nothing. Commands without a record (ps:restart, ps:scale, config:set) cannot be cancelled:
// their own Ctrl-C does that.
//
// A command of a deploy has a deadline (task-timeout), and so has a build: the app is locked
// meanwhile. What ends then is the command's context, so that the deploy cleans up as after
// any failure. Budgets of a push (CheckBudgets) are checked before the lock is asked for,
// since whoever holds the lock must not wait for the counting. The number of processes is
// checked where a formation is decided, and never for one that has no more than the app runs
// now: a limit that is lowered keeps nobody from a deploy.
//
// The disk quota (quota.go) counts what can be told apart: the app's folder, the layers of its
// images, each once, the caches that its steps mount, and the volumes of buildpacks. Only root
// looks into a volume, so this program does, in a container that has them for reading and nothing
// else. The results of steps are not in it:
// BuildKit shares them by their content and does not say which build made one. A running step
// has no size in BuildKit either, so a build is watched by the free space of the disk, and only
// while no other app deploys, since nobody may end another's build by filling the disk; a full
// disk ends it in any case. The default is none: an app may be larger than any part of the disk
// that fits most, and its next push would be refused after an update. Rejected: the engine's
// sums (docker system df), which take seconds and count every image and volume; quotas of file
// systems, which no two engines' storage drivers have alike.
//
// The record of a deploy describes, and nothing is decided by it. That of a killed process
// still says that the deploy runs: whoever reads it looks at the process, at the staged
// record and at the releases, which name their deploy (Env.Deploy).
//
// A detached push is judged twice: without the app's lock while its client waits, so that
// a wrong file is told at once and no other deploy delays that, and by its deploy, since
// settings may have changed. Its record begins before it has the lock (DeployWaiting), so
// its number is known from the start; it is the only kind of deploy that can be cancelled
// while it waits.
//
// A push with -o cancel asks for the end of each deploy that runs while it waits for the
// lock. A push that waits for the lock has no record: it is no deploy yet, and is not
// cancelled.
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
// An app without a Procfile may get its process types from its builder (herokuish,
// pack): they become the release's Procfile. So the formation of such an app is checked
// once more behind the build. A builder that finds no types is refused before it.
//
// The builder that a release records decides how its processes start (app.Release.Start
// and Exec): herokuish's image has programs of its own for that. Rejected: an ENTRYPOINT
// of the image, since scripts and people call /start and /exec as in Dokku.
// An image of pack has a launcher, which sets the variables of the buildpacks; it becomes
// the container's ENTRYPOINT, because the image's own is the process web, which takes
// every command for its arguments.
//
// A build waits for one of the server's places (builder:set max-builds) under its app's
// lock, so that the order of the pushes to one app stays. A place is a lock too, which a
// killed build gives back.
//
// Control files are parsed once for a release, by inspect.Revision: Procfile, DOKKU_SCALE
// and app.json into app.Control, and CHECKS, which the session keeps for the gate
// (Session.checkPlan). CHECKS is not part of app.Control, because its parser belongs to
// package checks, which app may not import. A session prints a warning about them once
// (Session.warn), and before the build, so that a rejected push has it too.
//
// A push with the option plan (foresee.go) opens and inspects the revision as any push
// does, prints what would follow, and is declined. It has the app's lock and so waits for a
// deploy under way: what that does is part of the plan. It sweeps nothing, has no log and
// no record, and an app that it created goes with it. A locked app has a plan too.
//
// A build uses the settings of now (builder:set, docker-options:add, the paths), and
// checks them again: a file may have been edited by hand or come from a backup. The
// release records the builder, why it was chosen, and where the control files lay, so
// that a message names the path in the repository. Releases made from it copy that.
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
// An app may push its images to a registry (registry:set push-on-release). The registry is
// asked before the build whether it answers, because a build takes minutes, and the image is
// pushed behind predeploy, which changes it, and before the release command, which cannot be
// undone. The release keeps the name by digest; releases that are made of it push nothing.
// Rejected: to push beside the gate, which would hide the time and let a release command run
// for a deploy that its registry rejects; and to push the
// tags that move (push-extra-tags) with the image, as Dokku does, which would name a version
// before its checks have passed: they follow the switch, and the agent retries. A rollback
// moves them too.
//
// An image that this engine has lost comes back from there by its digest when something has to be
// started here (FetchImage). The name by digest decides, and not today's setting: the image
// is where it was pushed. Rejected: to build it again, which gives another image, and would run
// what nobody has checked under the number of a release that was.
//
// # Types that run alone
//
// Two settings keep the processes of two releases from running side by side, and they
// differ in what a release has to prove:
//
//   - An exclusive type (rollover: app.json, or ps:set) stops before the commit. The new
//     processes start after the end of the old ones, and have to pass their checks before
//     git moves the ref; else the old ones start again. Such a deploy can be rejected, and
//     costs the old processes a restart then.
//   - A type with zero downtime disabled (checks:disable, from Dokku) stops after the
//     commit, and the new processes start without checks: app.Process.Late. It wins over
//     an exclusive rollover.
//
// Both are app.Process.Alone for the plan. An exclusive type takes over as late as
// possible, when everything else of the deploy has passed, so that the gap is short and a
// broken web process costs none. Before the first old process ends, the state says that
// the old ones retire. From then on no plan chooses them: whoever recovers from a kill ends
// what is left of both generations, and starts processes of the release that the state
// names. The old containers are removed before the commit, because a stopped container can
// run again, by its restart policy when the engine comes back. So the processes that come
// back are new containers of the old release, and their earlier logs are gone. Rejected: a
// record of stopped containers that have to be started again, which would have to be right
// after every kill; a second lock inside the app's processes.
//
// A type is exclusive if the release that serves or the one that replaces it says so: the
// revision that declares it first may not run beside the one before. After a kill only the
// former is known, so a missing process waits for the end of all containers of its type of
// versions that never were current (plan).
//
// Web may be exclusive too, for an app that locks its data, with a warning that requests
// fail meanwhile. Rejected: to refuse it, since such an app would be left with
// checks:disable, whose gap is as long and ends with a version that nobody has checked.
//
// # On a swarm
//
// A release says whether a swarm places its processes (app.Release.Swarm). An app moves by a
// release of the other scheduler: new processes start beside the old ones, and the plan that
// retires the old ones is that of any deploy. scheduler:set restarts a running app for that;
// the setting is stored with the release, or not at all. The processes of the current release
// are those of its own scheduler, whatever has been set since. A restart of some types stays
// where the kept ones are.
//
// The route is tested while the processes start, as on one machine, with addresses that stand for
// those that the swarm has yet to choose: they change nothing about whether nginx takes it. The test
// beside the gate, with the right ones, made a push a tenth longer. The gate dials the entrances of
// the nodes with the certificate that nginx has, and runs commands and looks at sockets on all
// nodes (see package node). Ports other than that of web have no
// entrance: checks of them are refused before the build (swarmReady), with everything else
// that a swarm cannot do, by name. What a Spec cannot have there is refused by the same check that the
// engine makes (engine.Spec.Check). Nobody looks for the port of web: an image that
// exposes none has to listen on PORT.
//
// The swarm's times are those of the manager that leads it, which may be another server with a
// clock that is off. The gate takes a start for no earlier than the call that made it, and for
// no later than now: a wrong clock neither shortens nor prolongs a check.
//
// The repository of an image is noted before any node pulls it (store.NoteNodeImages): nodes lose
// the images of a repository that no app has any more. Rejected: to look for our labels in
// the images of nodes, which another server may have built there.
//
// Nodes pull the image by its digest, so a push to a swarm always pushes it, and an operation
// whose release is in no registry, or in another one than that which is set, pushes the image
// first if this server still has it.
//
// ps:scale starts further processes as a group of their own: if they fail, they go without
// the ones that serve. Swarm itself chooses which process of a group ends, so a count that
// would cut a group starts the type anew, by a release that keeps the other types
// (scaledApart). Rejected: to let Swarm choose, which would end processes that the
// proxy still names; groups of one process each, which Swarm would not spread over nodes.
//
// Without a quorum nobody sees what runs (engine.Observed.Unseen). Every change of an app on
// the swarm is refused then, and the agent touches nothing of it.
//
// An exclusive type is not replaced while a node that has it does not answer: nobody can
// tell whether it has ended. Swarm starts it anew elsewhere by itself, beside one that may still
// run on a node that was cut off; the promise is about generations, not about nodes.
//
// # Firewall
//
// The rules that keep containers from the host's ports (package firewall) are made from all apps, the
// networks and the containers that run, and not from what changes: there is nothing to
// undo, and a call that was killed costs one more. They are made before a release's containers start, and again
// afterwards where the engine chose addresses meanwhile, on shared networks. A file says what they were last, so
// most deploys cost one look into it. While isolation:enable is gated, the containers that serve are
// excepted by their addresses. Without root's part a deploy goes on without a word: doctor and reports
// say it, and a pusher can do nothing about it. Rejected: to refuse the deploy, which would stop a server
// whose rules somebody has flushed.
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
