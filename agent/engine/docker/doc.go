// Package docker runs processes on a Docker Engine, from 20.10 on. Engine is an
// engine.Host.
//
// # Decisions
//
// Each app has a bridge network of its own. The engine checks that a network's name
// is new, but not atomically: six calls at once make six networks of one name. It
// never gives one interface to two networks. The interface's name is therefore derived
// from the app's: of two processes that make the network, one fails and finds the
// other's. A lock file was rejected: it would not hold against another machine's agent
// on the same engine.
//
// Subnets come from a pool and keep clear of the host's interfaces and routes. The
// engine's own choice knows only some of them.
//
// Chown changes the owner of a folder without a program that runs as root. It unpacks
// an archive with the folder alone into a container of an empty image, which is made
// for that and never started. Any user of the engine can do that, so no rule of sudo
// is needed.
//
// Listening reads the table of sockets of the container's network namespace from
// /proc, which any user may read. It runs cat in the container only where the engine's
// processes are not this machine's. The control group of a process proves that it is
// the container's. Processes runs the host's ps in the same way: the engine does the
// same with a detour of 20 ms. It asks the engine where ps shows none of the
// container's processes.
//
// Watch agrees on the API version again after each reconnection, because the engine
// may have been upgraded meanwhile.
//
// RunAttached connects the streams before it starts the container, so that no output
// is lost. It never asks the engine to remove the container: a removed container has no
// exit code. With a terminal the stop signal is HUP, since interactive shells ignore
// TERM. A command of ExecAttached would outlive its caller. It gets a HUP from inside
// the container, the only place from which a user of the engine can reach it.
//
// Logs are json-file, rotated, whatever the engine's default is: Logs can read them,
// and they do not fill the disk. The engine would take all names but one away from an
// image in use before it refuses to remove it, so Remove looks first.
//
// The size of a subnet and the rotation of logs are constants. Nobody has asked to set
// them, and a setting that nothing sets is untested.
//
// The engine's errors lose the prefixes of the layers that they passed (plain).
//
// The client is docker/docker/client, the last release of that module path. Only this
// package and the builder know it. Client and NewClient are for the builder, which
// speaks parts of the API that are no part of engine.Host.
//
// With the build tag failpoints, Counted makes every call of the engine a point at
// which a test can strike. Without it, Counted returns the engine itself.
//
// # Image stores
//
// Docker 29 keeps images in containerd's store by default, earlier versions in their own
// (overlay2). What differs, by the engine's source (daemon/containerd):
//
//   - An image's id is the digest of its manifest, or of its index if it is for several
//     platforms, and not of its configuration. Ids are compared and never computed here;
//     Load tells which id an image has in another store (readArchive).
//   - A load takes every layer from the archive, also one that the engine has. It answers
//     "Error unpacking image" as if that were no error (readLoaded).
//   - An image that was built or loaded here has a digest, as if it were in a registry, so
//     ImageInfo.Digests is no proof that one has it.
//   - An index names platforms that the engine does not have. The fields of an inspected
//     image, and the manifest.json of a saved one, are of the engine's own platform.
package docker
