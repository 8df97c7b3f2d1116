// Package hooks is what git and sshd call: the forced command of a key, the
// wrapper around git receive-pack, pre-receive, and post-receive. It decides
// nothing about deploys: pre-receive is the agent's Prepare, post-receive its
// Reconcile, and the ref that git moves in between is the commit record.
//
// # Decisions
//
// A command line from ssh is split into words by a lexer of our own and is never
// given to a shell, and nothing in it is expanded. What a shell would expand or
// run is refused with the mend (quote it) instead of being taken literally: a
// line that reads differently to its writer and to us is where attacks begin. The
// environment is built from nothing; of the client's, only git's protocol version
// and the terminal's name get through, and only in their known form. Hooks are
// links to this binary, so that no shell stands between git and us either.
//
// The wrapper exists because git does not tell a hook that its client went away:
// writes still succeed, the ref moves, and post-receive may never run. It polls
// its own output for a hangup. It passes git's output on through a buffer without
// ever waiting, because a suspended client would otherwise stop a hook that holds
// the app's lock. Bytes of git's protocol cannot be dropped, so a client that is
// 32 MiB behind is treated like one that is gone. Rejected: a pseudo terminal
// between git and us, for git sends progress differently to one; letting the hook
// watch the connection itself, for it does not have it.
//
// The wrapper and the hooks share one pipe, descriptor 3, that git passes on
// without knowing. Through it the wrapper learns how far the hooks got and when
// the last process of the push has ended, and a hook learns that the wrapper was
// killed. So the wrapper need not guess from refs and exit codes (receive-pack
// exits 0 for a push that pre-receive rejected), and reconciles only where no
// hook has: a rejected push does not wait for the lock that the next push holds.
// Rejected: marker files, which a crash leaves behind.
//
// # Who is killed, and what follows
//
//   - The client, before pre-receive has accepted: TERM to git's process group,
//     KILL after ten seconds. Pre-receive takes TERM as a cancel and cleans up.
//   - The client, later: nothing is signalled. Git moves the ref, or has, and the
//     push is finished with nobody watching. Post-receive has left the group and
//     ignores signals in any case.
//   - The wrapper: git gets TERM from the kernel (PR_SET_PDEATHSIG) and dies;
//     pre-receive sees both ends and cancels, post-receive goes on.
//   - git: pre-receive watches the git above it, which need not be its parent,
//     and cancels, since no ref will move. Post-receive goes on.
//   - A hook: git declines the push, or has moved the ref already; the wrapper
//     sees that the hook did not finish and reconciles in its place.
//
// Whatever is left in every one of these cases is settled by the ref: by the
// wrapper, the agent, or whoever takes the app's lock next.
//
// # First push
//
// The wrapper creates the app before git runs, as a provisional one, and takes it
// away when nothing was accepted. Two first pushes at once are told apart by a
// shared lock (hold), so that the rejected one does not take away what the other
// is about to get accepted.
//
// # Foreign repositories
//
// foreign.sh is the pre-receive of a repository that another server owns. It is
// a shell script on purpose: it has to work for a user who may not even see
// DOKKU_ROOT, and it comes in through the front door like any client.
package hooks
