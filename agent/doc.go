// Package agent is the deploy agent of a server: the operations that a push, a command
// or the controller carries out on its apps. Server has them all.
//
// dokku makes a server a place to which git push deploys. A push is read straight from
// git's objects, built into an image, started next to the running version, checked,
// and only then accepted: pre-receive does everything that can fail (Prepare), git
// moves the ref, and post-receive switches the proxy (Reconcile). The ref is the
// commit record. What people asked for is stored; containers and routes are observed,
// and a pure plan leads from one to the other. After a crash the next command, or
// dokku agent, makes a new plan.
//
// # Layers
//
// A package imports packages of lower lines only; TestLayers holds this order.
//
//	main.go            dispatch on argv[0] and the first word
//	hooks/             called by git and sshd: forced command, wrapper, pre-receive, post-receive
//	agent/command/     the noun:verb commands, a package for each group of nouns; command/cli: parsing, reports, help
//	agent/doctor/ backup/ move/ watch/                   one concern each; backup/archive: the file of a backup; move: apps of a Dokku server
//	agent/cron/        the cron tasks of app.json: schedule, runs, history
//	agent/letsencrypt/ oneoff/ sources/                  orders of certificates; one-off containers; deploys without a push
//	agent/cluster/ frontdoor/ registry/                  the swarm of several servers; those that serve visitors too; the registry that this server has
//	agent/             Server: the operations
//	agent/deploy/      one app under its lock: settle, prepare, rollout, gate, stage, converge, executor
//	agent/plan/        Plan(desired, observed) []Step; pure
//	agent/services/    databases beside the apps: kinds, records, containers, data
//	agent/engine/      the contract of a container engine; engine/docker, engine/swarm, engine/node, engine/memory, engine/enginetest
//	agent/proxy/       the contract of a reverse proxy; proxy/nginx, proxy/doors, proxy/memory, proxy/proxytest
//	agent/inspect/     the files of a revision and what is wrong with them: for pushes, plans and dokku validate
//	agent/checks/      CHECKS and app.json healthchecks, the gate
//	agent/vault/       backups at a place in S3 or in a folder: made, proven, found, removed
//	agent/notify/      the hooks that get events: queue, signature, delivery
//	agent/store/       files and locks: apps, states, releases, settings, problems
//	agent/app/         data: State, Release, Settings, and View{App, Settings}: questions that need no lock
//	agent/repo/        an app's bare repository: refs, sweep, sync, packing
//	agent/proc/        identity of processes, users, signals
//	agent/certs/                                         what a certificate is and says; certs/acme: the client of a CA
//	agent/journal/ keys/                                 the server's events and their file; ssh keys and their rights
//	agent/cgroup/      bounds of the memory and the CPUs of gits that serve pushes and clones
//	agent/firewall/    rules that keep containers from the host's ports, and root's part that makes them
//	agent/event/ disk/ failpoint/ text/                  below everything
//	build/             pushed tree -> image: the Builder contract; build/source, build/registry, build/buildkit, build/container, build/options, a folder for each builder
//	scale/             how many processes of each type: Procfile, DOKKU_SCALE, app.json, precedence; pure
//	agent/e2e/         end-to-end tests: lab, fault, load; machine: the agent against engine/memory and proxy/memory
//
// # A map for newcomers
//
// The way of a pushed ref and of the bytes of its DOKKU_SCALE, from hooks to nginx:
//
//  1. hooks/receive.go receivePack starts git receive-pack (git.go startGit) and waits for its end.
//  2. hooks/hook.go PreReceive reads the refs (readRefs) and calls agent/push.go Server.Prepare.
//  3. agent/deploy/session.go Env.With locks and settles the app; push.go Session.Prepare finds the ref (deployRef).
//  4. agent/deploy/build.go Session.build has inspect/revision.go Revision read DOKKU_SCALE from git's quarantine (build/source Source.Read).
//  5. agent/app/control.go Release.ReadFiles parses it: scale/dokkuscale.go ParseDokkuScale, then resolve.go Resolve: a Formation.
//  6. agent/deploy/build.go building.image builds: build/choose.go Builders.Build, build/dockerfile Builder.Build.
//  7. agent/deploy/rollout.go rollout.run starts that many processes (engine/docker/start.go Engine.Start), checks them
//     (checks/gate.go Gate) and tests the route (proxy/nginx Proxy.Stage); push.go stageRecord writes the staged record.
//  8. Git moves the ref. hooks/hook.go PostReceive calls agent/reconcile.go Server.Reconcile.
//  9. agent/deploy/session.go settle compares the record with the ref (repo.Ref); forward makes the release current.
//  10. agent/deploy/converge.go Converge compares desired and observed: plan/plan.go Plan; executor.go executor.run
//     calls proxy/nginx Proxy.Publish, then stops the old processes.
//
// # Decisions about operations
//
//   - The package is a thin layer: an operation makes the checks that need no lock, takes
//     the locks, and leaves the work to a deploy.Session. It knows no terminal and no words
//     of a command line.
//   - Operations without a push (ps:scale, ps:restart, config:set) start and gate new
//     processes as a push does. They stage no record: the rename of state.json commits.
//   - An operation that fails leaves the app as it was. Once the state is saved it
//     stands; an error after that says so, and the agent retries.
//   - ps:rebuild builds the deploy branch. Where another one was set to which nothing was
//     pushed, it is refused, as in Dokku: building what is deployed would look like a success.
//   - ps:start of a stopped app makes a new release from the current one with the
//     present config, gated like any other.
//   - Domain names have one lock for the whole server: two apps that claim one name at
//     the same moment must not both find it free. Rejected: a lock for each name, since
//     a change of the global domains touches the names of all apps.
//   - Only the engine can give a folder to another user (EnsureDirectory): this program
//     runs as a plain user. Rejected: a sudo rule for chown, which would allow much more.
//   - A rule that an update changes for deployed apps is told once for each server
//     (TellChanges), to whoever updates. Naming the apps at each deploy would be too late,
//     and a finding of the doctor would come back every day.
//   - connect.go is the only place that names the implementations of the engine, the
//     builders and the proxy.
package agent
