// Package cgroup bounds the resident memory, the processes and the share of the CPUs of the
// gits that serve a push or a clone, where the server has cgroups for it.
//
// It imports proc. Its callers say what the bounds are, and do without where Open fails.
//
// # Decisions
//
//   - A push or a clone has one cgroup for all its gits (Group). The name has the process that
//     made it, so that anybody can tell whether that still runs: Sweep removes those of killed
//     processes, and ends what is left in them.
//   - git enters by itself: the program is started again (RunCommand), enters the cgroup and becomes
//     git. So no other process of ours is ever in there, git has the parent and the number that
//     it has without a cgroup, and both versions of cgroups work alike. Rejected: clone3 into
//     the cgroup (version 2 only, and the caller has to be in the delegated tree, which would
//     move commands and the agent out of where their service had them); to put a running git
//     into it (it would have allocated before).
//   - Hooks leave it (Leave): a build may take longer and more than a push.
//   - If git cannot enter, it runs with a limit of its private memory (RLIMIT_DATA), as on a
//     server without cgroups. With a cgroup it has none: what it reserves and never uses
//     counts there.
//   - Root's part makes the folders and gives them to the user dokku, once per boot (Make). In
//     version 1, who may write a cgroup may move processes of its own into it, so that is all.
//   - In version 2 a process may be moved only by who may write the cgroup above both places,
//     and a session of sshd is in one of root's. systemd does it instead: each user may have its own processes put into a
//     running unit with Delegate that runs as the same user (AttachProcessesToUnit). It looks at the user of the process,
//     of the caller and of the unit, and asks for no other right. The unit is not the
//     agent's, whose restart would end all pushes. Rejected: a helper of root's in the rule of sudo. It is
//     told the number of a process, which can be another's by the time that it writes it, and
//     who has a cgroup can kill and freeze what is in it. To wait until no process can have that number
//     needs the process itself to be stopped. Rejected too: to run sudo as git's parent, which
//     closes git's descriptors and answers its signals.
//   - In version 2 without systemd there is no cgroup: nobody but root could move a session.
//   - The share of the CPUs is a weight, half of what a service has, for all gits together, and no quota: a push on an idle
//     server is not slower.
package cgroup
