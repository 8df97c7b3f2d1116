// Package engine is where an app's processes run, behind one interface: Host
// for all that one machine's engine can do, in parts that a larger engine can
// offer one by one. Docker is a Docker Engine, Memory is one for tests, and
// enginetest is the contract as tests that both pass.
//
// # Decisions
//
// What runs is observed, never stored. Every container, network and image
// carries its app's label, and Observe asks the engine. A container inherits
// the labels of its image, so all of ours are set on every container, empty
// where they do not apply: an image cannot claim to be another app. A container
// that somebody runs by hand from an app's image inherits the app's label; it is
// none of the app's processes, and Observe and Watch leave it out because it has
// no kind.
//
// Start is one call that makes, connects and starts. The container's name, its
// release and its attempt identify it, so that a start that was interrupted is
// continued by the same call. A change that is under way goes on for some
// seconds after its context has ended: a create whose answer nobody waits for
// would leave a container that nobody knows of. A start that is given up removes
// what it made.
//
// Each app has a bridge network of its own. The engine checks that a network's
// name is new, but not atomically: six calls at once make six networks of one
// name. It never gives one interface to two networks, so the interface's name is
// derived from the app's, and of two processes that make the network one fails
// and finds the other's. A lock file was rejected: it would not hold against
// another machine's agent on the same engine.
//
// Fixed addresses are chosen by the agent from the lower half of the subnet, the
// engine gives out automatic ones from the upper half: it would give a stopped
// container's fixed address to the next one that asks for none. Subnets come
// from a pool and keep clear of the host's interfaces and routes, of which the
// engine's own choice knows only a part.
//
// Other networks are joined between a container's creation and its start, by
// any API version: a process may look for its database as the first thing it
// does, and a process must never run that could not join. The app's own network
// stays the one with the fixed address.
//
// A folder's owner is changed without a program that runs as root: Chown unpacks
// an archive with the folder alone into a container that is made for it, of an
// empty image, and never started. Whoever may use the engine can do that, so no
// rule of sudo is needed for it.
//
// Images are never removed by force. Remove takes only names away that a deploy
// gave (TagPrefix), and leaves an image alone that a container, running or not,
// was made from. The engine would take all names but one from an image in use
// before it refuses. A network that only stopped containers use is kept as well:
// the engine would remove it, and they could never be started again.
//
// ListeningPorts reads the table of sockets of the container's network namespace
// from /proc, which any user may, and asks cat in the container only where the
// engine's processes are not this machine's. The control group of the process
// proves that it is the container's. Processes runs the host's ps in the same way,
// as the engine does, without the engine's detour of 20 ms, and asks the engine where
// it finds none.
//
// Watch is level-triggered. "connected" means: look at everything. It is sent
// first, after each reconnection, and when the receiver was so slow that events
// had to be dropped. After a reconnection the API version is agreed on anew,
// because the engine may have been upgraded meanwhile.
//
// RunAttached connects the streams before it starts the container, so that no
// output is lost, and never asks the engine to remove it: a removed container has
// no exit code. With a terminal the stop signal is HUP, since interactive shells
// ignore TERM. A command that was started by ExecAttached would outlive its
// caller: it is sent a HUP from inside the container, the only place from which a
// user of the engine can reach it.
//
// Logs are json-file, rotated, whatever the engine's default is: Logs can read
// them, and they do not fill the disk.
//
// Every call has a deadline beside its context's. The engine's errors lose the
// layers they went through; those that a caller tells apart are values (see
// ErrAddressInUse), and each names the thing, the value and, where there is one,
// the mend.
//
// The client is docker/docker/client, the last release of that module path. Only
// the files docker*.go know it.
package engine
