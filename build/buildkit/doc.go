// Package buildkit has the BuildKit of a Docker Engine build an image of a revision,
// by a Dockerfile in it.
//
// # Times
//
// The engine asks for the files whose size, mode or modification time it does not
// know, and git keeps no times. So an app has a manifest with a time for every path,
// which changes exactly when the file does. Without the manifest every push would
// send every file. A constant time is no way out: the engine was seen to keep the
// old content of a file whose size stayed. The manifest is written before each
// build, also of a push that is rejected later. A damaged manifest counts as lost.
//
// # Building
//
// The engine reads the tree over BuildKit's session protocol, straight from git's
// objects. Rejected: a checkout on the disk, which costs a second copy and the time
// to compare it; a tar stream, which carries every file every time. The engine's own
// Dockerfile frontend reads .dockerignore, so its rules cannot differ from those of
// `docker build`. One key for each app makes the transfer incremental. It assumes
// one build of an app at a time.
//
// # Progress
//
// Progress is printed from BuildKit's own trace and not with progressui: a push
// wants one line for a step, output as it comes, and nothing about transfers; and
// progressui brings the BuildKit client into the binary. A step's name comes before
// its first line of output, or half a second after it began, and again, with the time,
// at its end: a step that was quicker is one line. Rejected: the name of every step at
// its very start, which would double the lines of a push whose steps are cached. A step that failed
// is named once, right above its last lines. Output is passed on with its control
// characters; the caller removes them before it prints.
//
// BuildKit 0.11 and later runs a step without inputs twice, first to find its cache
// key: the step that sends the files and FROM have ended then before anything was
// sent or pulled. So a step without inputs gets its line when it ended a second
// time, or a step that builds on it began, or the build ended; its time is the sum.
// What was sent is not taken from the trace at all but from the session, which
// serves the files.
//
// Signs of life come 5 s after the last news, then every 15 s, and every 5 s while
// files or layers move.
//
// # Cache
//
// All builds of an engine share its cache, and no record of it tells who made it. So its
// size is bounded as a whole: least recently used records go first, and those in use stay.
// The size comes from BuildKit's own service (/grpc): the engine's sum of its disk
// (/system/df) also looks at every image and volume, which took 30 s where this took less
// than one.
//
// # The server's own BuildKit
//
// A request that is Isolated is built by BuildKit's daemon beside the engine (package daemon),
// over the same session and with the same progress; a request without a daemon fails, and is
// never built by the engine instead. The image comes back over the session as the archive that
// docker load reads, and goes on to the engine as it comes. Layers are not compressed, for the
// engine unpacks them. What it costs: the whole image is sent at each build, also layers that
// the engine has (BenchmarkLoad: a changed file took 0.7 s where the engine took 0.4 s, and 4.2 s
// instead of 1.2 s in an app of 200 MB). Rejected: leaving those out, which engines with
// containerd's store of images refuse; a registry between the two, which would keep every layer
// a third time.
//
// Apps share nothing in the daemon that one of them could read. Each has a random name
// (namespaceOf), which begins the ids of its caches (--mount=type=cache), over whatever a build
// argument says; names the files of its last build; and is a line of /etc/hosts in its steps. That
// line makes the cache tell its steps from those of other apps: BuildKit leaves secrets and
// caches out of what a step is known by, so one app would get the result of another one's step
// with the other's secret. COPY and FROM stay shared, since they are known by their content. The
// price is that apps do not share the result of the same RUN.
//
// The daemon has no images of the engine. One that the server allows goes to it over the session,
// blob by blob as the daemon asks, from a copy beside the app's manifest that ends with the build.
// Only the text of the Dockerfile tells which are copied, so a copy may be made in vain.
//
// # Passwords
//
// Passwords for private base images come from Docker's config.json. The secrets of a
// request are served on the session when a step mounts them, so they are in neither the
// image nor the request to the engine.
package buildkit
