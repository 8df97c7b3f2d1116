// Package hooks is the program's side towards git and sshd: the forced command of an ssh
// key, the wrapper around git receive-pack, pre-receive and post-receive. It makes no
// decision about a deploy: pre-receive calls the agent's Prepare, post-receive its
// Reconcile, and the ref that git moves in between is the commit record. It is the top
// layer below main: it may import the package agent and all layers below, and of
// agent/command only the printing of errors (cli.Report).
//
// # Decisions
//
// Our own lexer splits a command line from ssh into words. No shell sees the line, and
// nothing in it is expanded: characters that have a meaning in a shell are part of a word.
// That is how Dokku splits a line, with xargs, so a client's quotes mean the same here.
// Rejected: to refuse such characters, as earlier versions did, because clients send
// values like a=1&b=2 without quotes. The environment is built from nothing;
// a client can set only git's protocol version, the terminal's type and NO_COLOR, and only
// to known forms. DOKKU_REMOTE says how the client's person runs a command, for the hints in
// messages (see remote and event.Hints). Hooks are links to this binary, so that no shell runs between git and
// the agent either.
//
// The rights of a key are read by the forced command alone, from its own words (package keys), and asked before git runs
// or a command is looked up. A key that may not use an app gets the same line whether it exists or not. Each connection
// leaves a line in the host's log (audit): the key, its fingerprint as authorized_keys has it, the role, the app, the
// command without its words, the outcome, exit code and duration; of git upload-pack, which replaces this process, it is written
// before.
//
// The wrapper exists because git does not tell a hook that its client went away: writes
// still succeed, the ref moves, and post-receive may never run. The wrapper polls its
// own output for a hangup. It passes git's output on through a buffer and never blocks,
// because a suspended client would otherwise stop a hook that holds the app's lock.
// Bytes of git's protocol cannot be dropped, so a client that is 32 MiB behind counts
// as gone. Rejected: a pseudo terminal between git and the wrapper, since git then sends
// progress in another form; letting the hook watch the connection, since it has none.
//
// git receive-pack and upload-pack run with settings that bound their memory by limits and
// not by what they get (repo.ReceiveEnv), in a cgroup that bounds the resident memory of all gits of a push or a clone together, their
// number and their share of the CPUs (bounds, package cgroup), and with RLIMIT_CPU. Without a cgroup, each of them has RLIMIT_DATA. A hook
// leaves the cgroup and gives the limits back to itself: it deploys. index-pack unpacks differences before any hook runs, so a limit of ours comes too
// late there: a pack of 2 MB made it hold 2 GB. Rejected: RLIMIT_AS, which counts the packs
// that git maps; to parse the pack in the wrapper, which would unpack all of it a second
// time. Why git could not take a pack is in its output alone, whose end the wrapper keeps
// (tail). upload-archive is not served: it unpacks whatever a branch names. upload-pack has
// a wrapper too, which ends its process group with the client: pack-objects computes for
// minutes without writing.
//
// The wrapper and the hooks share one pipe, descriptor 3, which git passes on as an open
// file. It tells the wrapper how far the hooks got and when the last process of the push
// has ended, and it tells a hook that the wrapper was killed. So the wrapper need not
// guess from refs and exit codes (receive-pack exits with 0 for a push that pre-receive
// rejected), and it reconciles only if no hook has: a rejected push does not wait for
// the lock that the next push holds. Rejected: marker files, which a crash leaves behind.
//
// Git does not tell a hook whether its client writes to a terminal, so a push has colours
// only where the app's color property or the push option color asks for them. Rejected:
// colours in every push, which would fill the logs of CI services with escape sequences;
// to look at the client's TERM, which ssh sends with a terminal only.
//
// A detached push (-o detach) ends for its client as a declined one: git knows no answer
// between yes and no, and the branch may move only when the deploy has passed its checks.
// Pre-receive hands the push over to a process of its own session (DetachedPush, package
// sources), and returns when that has taken over. Rejected: proc-receive, with which git
// would report another ref than the one that was pushed, and which old clients do not
// show; to have the agent deploy it, since a push works without an agent.
//
// # Killed processes
//
//   - The client, before pre-receive has accepted: git's process group gets TERM, and
//     KILL after ten seconds. Pre-receive treats TERM as a cancel and cleans up.
//   - The client, later: no process gets a signal. Git moves the ref, and the push is
//     finished without a client. Post-receive has left the process group and ignores
//     signals.
//   - The wrapper: the kernel sends git TERM (PR_SET_PDEATHSIG). Pre-receive notices
//     both ends and cancels; post-receive continues.
//   - git: pre-receive watches the git process above it, which need not be its parent,
//     and cancels, since no ref will move. Post-receive continues.
//   - A hook: git declines the push, or has already moved the ref. The wrapper sees that
//     the hook did not finish and reconciles in its place.
//
// In each of these cases the ref settles the rest: the wrapper, the agent or the next
// process that locks the app reads it.
//
// # First push
//
// The wrapper creates the app before git runs, as a provisional app, and removes it when
// the push was refused before its build. A shared lock (store.Hold) tells two first pushes
// apart, so that the rejected one does not remove the app that git is about to accept for
// the other.
//
// # Who may do what
//
// Each line of defence, and the attack that it stops:
//
//   - sshd runs the forced command, whatever the client asks for: a key gets no shell, no
//     forwarding and no terminal but that of its command (restrict).
//   - The key's rights are words of that command, in a file that only the user dokku writes (package
//     keys). Nothing that a client sends, neither words nor variables, adds to them. They are asked
//     before git starts and before a command reads anything (package cli): another app's name is
//     refused with the same words whether it exists or not.
//   - The user dokku is the only one that reads and writes below DOKKU_ROOT. It is in the group docker
//     and so could become root; nothing of a pusher's ever runs as this user. git runs with
//     settings from the command line and an empty environment, so that a repository's own
//     configuration, hooks and attributes name no program.
//   - A pack or a clone for which git needs gigabytes, or all CPUs, gets what the server's setting gives it (package
//     cgroup): apps and other pushes have the rest. Root makes the folders of cgroups and gives them to the user dokku, or systemd
//     moves that user's own processes; no helper of root's takes the number of a process, which could be another's. The user
//     dokku can neither end nor limit processes of others by that.
//   - The rule of sudo has three scripts of root's without arguments (packages nginx and firewall). They look
//     programs up in root's folders, and the owner of the staged files reads them: a link in the
//     folder of the user dokku leads root nowhere. That of the firewall takes names of bridges, addresses and ports, of
//     which root's part makes rules: no text of the user dokku is one, and no rule is on an interface of the
//     host's own.
//   - The kernel drops what an isolated container sends to ports of the host, other networks of the engine and a cloud's
//     metadata service (package firewall). Who has a key of a deployer scans nothing and reads no credentials of
//     the host by pushing code. Only an admin opens a port.
//   - nginx's files are the user dokku's text, which root's nginx reads. Each value in them is one word of
//     nginx's syntax, whatever was checked before (package nginx, "Templates"): a pusher's domain or
//     path adds no directive. This stops nobody who is the user dokku already.
//   - Root's own commands become the user dokku at once, or use its files with its rights
//     (proc.AsOwner): a link in place of authorized_keys gives nobody root's files.
//   - The agent is the same user, and is told nothing over the network. It parses what pushes have
//     left, so each parser has a bound, and one app's file stops no other app's agent.
//   - A build runs in BuildKit, that of the engine or one of the server's own (packages buildkit and
//     daemon), a process in a container with few rights (package engine). Both reach neither the
//     engine's socket nor another app's folders.
//
// # Foreign repositories
//
// foreign.sh is the pre-receive hook of a repository that another server owns. It is a
// shell script on purpose: it runs for users who may not even see DOKKU_ROOT, and it
// connects over ssh like any client.
package hooks
