// Package doctor checks a server and its apps, and fixes the safe part of its findings.
// It imports agent and the packages below it; only agent/command and main import it.
//
// # Decisions
//
// Examine changes nothing. Fix does the agent's own work, and an administrator's work
// with chmod, ln and rm. It never starts anything that an administrator may have
// stopped: nginx, sshd, the agent, a process that has ended.
//
// The doctor has no rules of its own for an app's processes. It makes the plan of a
// converge without carrying it out. While a process holds the app's lock, or git is
// about to accept a release, new containers belong to a deploy and are not leftovers.
//
// An engine may serve several roots. A label on each app's network names its root
// (store.Identity). Names of containers and networks are unique on an engine, so two
// roots cannot have the same app, and all resources with the name of an existing app
// belong to its root. Resources under another name belong to this root only if their
// network has its label or, for networks of older versions without one, if this root's
// proxy still routes that name to an address of the network: only the root that deployed
// the app can have published that. So the doctor finds an app whose folder was
// removed by hand, and never touches the apps of another root. A lock file of that name
// is no evidence, because a refused push leaves one.
//
// A swarm is judged by package cluster, on its managers alone: a worker knows nothing of the
// others. A swarm is never changed by --fix.
//
// Apps that are older than isolation are named, and are no problem: they keep what they have
// until somebody decides. A mount inside a folder is a warning once another mount leads its owner
// there, since only then somebody can lead it elsewhere.
//
// Rules of the firewall that are missing are a problem, and --fix makes them; without root's part, which an update from an
// older version lacks until install.sh has run, they are a warning.
//
// Whether gits get into a cgroup is found out by having a process enter one, since that takes systemd where
// the server has it. A server without cgroups is named and is no problem: each git has a limit of its own there.
//
// An engine without live-restore is named, with the setting, and is no problem: it works,
// and its administrator may have reasons. An image that is missing is never fixed by
// --fix: a build takes minutes and runs the app's code.
//
// systemd starts a stopped Docker again at the next connection to its socket, and the
// agent connects as soon as the engine is gone. Holding back was rejected: a program that
// is not root cannot tell an engine that is about to stop from one that will answer
// soon, and an agent that waits for a sign leaves apps down. The README says to stop
// docker.socket too.
package doctor
