// Package remote fetches from other servers: repositories for git:sync, and what a
// revision names but its repository does not have: its submodules, and what Git LFS keeps
// elsewhere.
//
// It imports disk, event and package source, and knows no apps, settings or
// locks: its callers give it the folders.
//
// # Decisions
//
// Git fetches, with an environment made from nothing: no configuration of the host, an
// allow-list of protocols without file and ext, objects checked as they come (fsck). ssh
// knows the hosts of git:allow-host alone and asks nothing. Passwords come from .netrc
// (git:auth); of one in an address nothing is printed or stored. Those of submodules and of Git LFS get one by https
// only, or at a port that git:auth names (http://HOST:PORT): whoever pushes may have a program at another port. An address is parsed
// before git sees it and stands behind "--", so that nothing of a .gitmodules can become
// an option.
//
// # Who decides what is fetched
//
// For the address of a git:sync of an admin, any host will do. Those of operators, and those of
// submodules, which come from whoever pushed, have two rules for their hosts (Reach,
// Fetcher). By ssh only a host that an administrator allowed (git:allow-host) is asked at
// all, and by https or http only such a host, one with a password (git:auth), or one whose
// address is of the public internet, and none of this server's own. Else a push could make
// the server read from its loopback, its private networks or its provider's metadata, or
// find out what answers there.
//
// So it is with the archives of operators (DialAllowed).
//
// Git reaches https and http through a proxy in this process (tunnel), which looks at each
// address as it is dialled. Rejected: to look a name up first and pin the address
// (http.curloptResolve), which git knows since 2.37 only and which does not see redirects;
// old .gitmodules are full of repositories that were renamed since. git: is refused
// there: it can be neither encrypted nor sent through the proxy.
//
// Whoever may push may thereby build what the server's credentials can read.
//
// # The cache
//
// APP/dokku/fetched/commits has a folder of git objects for each commit that a revision
// pinned, by the commit's id. An entry is fetched beside the cache, synced, and renamed
// to its name, so that a kill at any moment leaves whole entries only, no lock and no ref;
// the folder of a killed fetch goes with the next command (store.Staging). The id says
// what is in it, whatever the URL, so that an entry is never stale. Prune keeps what the
// last build used, and of the rest the last used 2 GiB. Backups leave the cache out.
//
// APP/dokku/fetched/lfs has the contents of Git LFS, by their SHA-256, in the same way.
//
// Rejected: a repository for each URL, which would save the transfer of files that two
// commits share. It needs locks, refs against gc, and rules for shallow history, for what
// changes rarely. Rejected too: the app's own repository, whose gc would remove the objects,
// and from which a client could fetch them.
//
// A commit comes without its history (--depth=1), by its id. A server that does not send
// commits by their id sends all branches instead. All that is fetched for a revision may have fetch-max-size bytes:
// the kernel ends the git that writes more (RLIMIT_FSIZE), because git has no limit of its
// own for a fetch. Each git has RLIMIT_DATA and RLIMIT_CPU as those of a push without a cgroup have: a
// pack of some hundred bytes can hold gigabytes. What was fetched has the limits of pushed objects, too.
//
// # Git LFS
//
// Contents are asked for by the batch API (transfer "basic") of the server that .lfsconfig
// names (lfs.url), else of the one that belongs to the repository's address: that of the
// submodule, or of git:sync. A repository that was pushed has no address, and this server
// takes in no contents: a client that pushes to it sends them to lfs.url. The server of a
// repository with ssh is asked by https. Rejected: git-lfs-authenticate over ssh, and the
// client git-lfs, which reads the configuration of a checkout, and of which a server would
// need one more program. The rules for hosts are those of submodules, for the redirects and
// for the addresses in an answer too. Size and SHA-256 are checked before a content gets its
// name in the cache.
package remote
