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
// The wrapper exists because git does not tell a hook that its client went away: writes
// still succeed, the ref moves, and post-receive may never run. The wrapper polls its
// own output for a hangup. It passes git's output on through a buffer and never blocks,
// because a suspended client would otherwise stop a hook that holds the app's lock.
// Bytes of git's protocol cannot be dropped, so a client that is 32 MiB behind counts
// as gone. Rejected: a pseudo terminal between git and the wrapper, since git then sends
// progress in another form; letting the hook watch the connection, since it has none.
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
// # Foreign repositories
//
// foreign.sh is the pre-receive hook of a repository that another server owns. It is a
// shell script on purpose: it runs for users who may not even see DOKKU_ROOT, and it
// connects over ssh like any client.
package hooks
