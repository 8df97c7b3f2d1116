// Package build turns a pushed tree into an image: it reads the push from
// git's objects before git has accepted it, refuses trees that cannot be built
// safely, and has the Docker Engine's BuildKit make the image. It knows no
// apps, hooks or formations.
//
// # Reading
//
// A Source reads commits, trees and blobs with go-git, from the quarantine of
// a push and from every alternate, each as a storage of its own: go-git's
// support for quarantines finds loose objects only, and git keeps a pack from
// 100 objects on. All storages share one cache of 4 MiB, and what is larger
// than 1 MiB is streamed: with the defaults a hook peaks at 276 MB on a
// repository of 200 MB. Two goroutines read at a time, each with a view of its
// own, because go-git reads garbage when two share an open pack; more views
// would cost memory, as each has an index of every pack.
//
// Raw trees are parsed here: go-git's decoder folds modes that git does not
// know into ones that it does, and a device would look like a file.
//
// A large blob that is stored as a delta is resolved in memory, here as in
// git's own index-pack, which has done so before the hook runs.
//
// # Validation
//
// Validate is needed beside receive.fsckObjects, which accepts control
// characters, backslashes, most spellings of .git, devices, and trees of any
// size: 839 bytes of pack can name 10^10 files. Names must be UTF-8, which the
// protocol to the engine demands. Submodules and Git LFS pointers are refused,
// with their path, because a build would silently go without their content. A
// tree is flattened while it is validated, and that list is what is built, so
// that nothing can be built that was not looked at.
//
// # Times
//
// The engine asks for the files whose size, mode or modification time it does
// not know, and git keeps no times. So an app has a manifest with a time for
// every path, which changes exactly when the file does; see manifest. Without
// it every push would send every file (a constant time is no way out: the
// engine was seen to keep the old content of a file whose size stayed). The
// manifest is written before each build, also of a push that is rejected
// later. A damaged manifest is a lost one.
//
// # Building
//
// The engine reads the tree over BuildKit's session protocol, straight from
// git's objects. There is no checkout on the disk, which would cost a second
// copy and the time to compare it, and no tar stream, which would carry every
// file every time. .dockerignore is read by the engine's own Dockerfile
// frontend, so that its rules cannot differ from what `docker build` does.
// One key per app makes the transfer incremental; it assumes one build of an
// app at a time.
//
// Labels must be the same at each build of an app: they are part of the image,
// and the same content has to make the same image id again.
//
// Progress is printed from BuildKit's own trace and not with progressui: a
// push wants one line for a step, output as it comes, and nothing about
// transfers; and progressui brings the BuildKit client into the binary. A
// step's name comes before its first line of output and again, with the time,
// at its end. Output is passed on with its control characters; whoever prints
// it removes them.
//
// Passwords for private base images come from Docker's config.json.
package build
