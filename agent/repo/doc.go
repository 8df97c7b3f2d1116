// Package repo creates and maintains an app's bare repository: its configuration and
// hooks, refs, leftovers of killed gits, packing, and copies for a backup.
//
// It imports disk, failpoint and proc. It knows a repository by its path, and knows no
// apps, states or locks: its callers hold the app's lock where a comment says so.
//
// # Decisions
//
//   - Init writes the files itself. git init was rejected, because templates,
//     configuration and variables of the host change its result.
//   - The hooks are symbolic links to this program. No shell runs between git and it.
//   - Git syncs the contents of packs and refs because the repository's configuration
//     tells it to (Harden, for repositories of older versions too), but it never syncs
//     folders. SyncRefs syncs those before the state says that a push is deployed. After a
//     power loss during a push, a ref may lack its content or its objects; HasAllObjects
//     finds that, and the staged record restores the ref.
//   - git gc runs only under the app's lock (Pack), never behind a push: it would remove
//     packs that another push's build reads.
//   - Settings that bound git's memory are in the environment of a git that serves a client
//     (FrugalEnv), not in the repository's configuration: they hold for repositories of
//     older versions and of backups, and an administrator's configuration stays.
//   - Many loose refs are packed after a push (PackManyRefs): each is an inode.
//   - Sweep removes leftovers only while no other git writes to the repository, because a
//     push that waits for the app's lock has a quarantine too.
//   - Copy copies the files of the repository; package archive says why not a bundle, and
//     why in this order.
//   - WriteGitDir, for git:set keep-git-dir, packs what the revision needs into a .git folder
//     of its own, and never copies the repository: objects of refused pushes, hooks and the
//     server's configuration do not get into an image. As in Dokku, the folder has the history,
//     the branch, the tags and an index, so that git describe and git status work in a build.
//     Of submodules it has the commits only.
package repo
