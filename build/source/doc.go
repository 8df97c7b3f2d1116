// Package source reads a pushed revision from git's objects before git has accepted
// it, and refuses trees that cannot be built safely.
//
// # Reading
//
// A [Source] reads commits, trees and blobs with go-git, from the quarantine of a
// push and from every alternate, each as a storage of its own: go-git's support for
// quarantines finds loose objects only, and git keeps a pack from 100 objects on.
// All storages share one cache of 4 MiB, and objects of more than 1 MiB are
// streamed: with go-git's defaults a hook peaks at 276 MB on a repository of 200 MB.
// Two goroutines read at a time, each with a view of its own, because go-git reads
// garbage when two share an open pack. More views would cost memory, since each has
// an index of every pack.
//
// Raw trees are parsed here: go-git's decoder folds modes that git does not know
// into modes that it does, and a device would look like a file.
//
// go-git puts an object that is stored as a difference together in memory, with all
// differences of its chain, and calls itself for each of them. What it would need stands in
// the heads of the pack's entries (pack.weighs), which are read without unpacking anything.
// Above 8 MiB or 500 differences git cat-file reads the object, in a process of its own
// whose memory goes with it. Sizes come from the heads too: go-git unpacks a difference to
// learn one.
//
// # Validation
//
// Validate is needed beside receive.fsckObjects, which accepts control characters,
// backslashes, most spellings of .git, devices, and trees of any size: 839 bytes of
// pack can name 10^10 files. Names must be UTF-8, which the protocol to the engine
// demands. Validate flattens the tree, and
// builders build from that list. So nothing is built that was not validated.
//
// What .dockerignore leaves out never reaches the build, so such entries are dropped
// there instead of refused. The matcher is the one that BuildKit uses for the same
// walk, with the same rule for parents and exceptions; another one could drop a file
// that the build wants. Budgets count these entries all the same.
//
// Validate is for the revision that is deployed. CheckReceived and Tips bound what any push
// brings on any ref, without a lock: the sizes and the number of all received objects, and
// what each tip names, with every tree counted once. Nothing else of a side branch is
// judged, since only a deploy makes use of it. Rejected: to walk side branches as the
// deploy branch, which costs as much as the tree claims to have files.
//
// # Submodules
//
// A commit in a tree is a submodule. Options.Remotes gets its objects, and its files are
// in the tree as if they had been committed there: no builder knows submodules, and the
// checks and budgets are the same code. .gitmodules is read by git's rules, but what git
// warns of is refused (two URLs for a path), and of a name or a path that leads out of the
// repository nothing is used. Whether and how a clone updates a submodule (update,
// branch, shallow) does not count: its commit is a part of the revision.
//
// Chains and large sets of submodules have limits of their own. A path leads into
// a submodule once that was fetched, so that a control file may lie in one; only Folder
// fetches on its way, for a build-dir in a submodule.
//
// # Git LFS
//
// A pointer that .gitattributes gives to LFS is in the tree with the size of its content,
// and Blob, File and archives read the content; no builder knows LFS. The contents are
// fetched once the whole tree is valid, in one request for a repository. A pointer that
// .gitattributes does not give to LFS is refused: a clone would have the pointer's text,
// which nobody wants to build. A damaged pointer is refused too.
//
// .gitattributes is read and matched here. go-git's matcher panics at patterns with **,
// lets an earlier line win, and git check-attr reads a tree since git 2.41 only.
//
// # Links
//
// A control file or Dockerfile may be a symbolic link, or lie behind a link to a
// folder: monorepos do that. Links are followed in git's trees, so no path of the host
// can be meant. A link that leads out of the repository is refused by name.
package source
