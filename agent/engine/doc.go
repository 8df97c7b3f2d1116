// Package engine is the contract of the software that runs an app's processes.
// Its implementations are packages below it: engine/docker for a Docker Engine,
// engine/swarm for one that manages a swarm, engine/memory for tests. They pass the
// conformance suites in enginetest.
//
// # Two contracts
//
// Engine is all that a rollout asks for: observe, start, stop and remove processes
// (Processes), look into them (Prober: the gate and release commands), and find and
// name images (Images). One machine can do that, and so can a cluster. Each group
// has at most five methods; a function asks for the smallest group that does.
//
// Machine is what only one machine can do: rename a container, give it a fixed
// address, make folders on the host, remove caches of builds, connect a terminal, show the ps table, archive
// images. An engine whose scheduler chooses names, addresses and hosts is no
// Machine. A rollout uses Names and Networks where the engine has them, since only
// fixed addresses need an address before the start; the commands for storage,
// networks, terminals and backups ask for the rest.
//
// Watcher stands beside both: a deploy never watches, the agent always does. So does
// Clusters, the swarm that an engine may be a member of: forming one, its nodes, their
// availability. Nodes join by themselves, so there is no method for that. Host
// is Engine, Machine, Watcher and Clusters together, the whole of a single server.
//
// A capability is an interface, never a type assertion on an implementation. A build
// needs the Docker API itself, which is no part of this contract: docker.NewClient
// makes a client for the builder.
//
// A single interface with all methods was rejected: a second engine would have to
// fail in half of them, and a test double of a deploy would have to write them all.
//
// # Decisions
//
// Running processes are observed, never stored. Every container, network and image
// carries its app's label, and Observe asks the engine. A container inherits the
// labels of its image. Start therefore sets all of our labels on every container,
// empty where they do not apply: an image cannot claim to be another app. A
// container that somebody runs by hand from an app's image inherits the app's label
// too. It has no kind, so Observe and Watch leave it out.
//
// Start is one call that creates, connects and starts. The container's name, its
// release and its attempt identify it: the same call continues an interrupted start.
// A change that is under way goes on for some seconds after its context has ended
// (Settled), because an unanswered create would leave an unknown container. A failed
// start removes the container that it made.
//
// The agent chooses fixed addresses from the lower half of an app's subnet, the
// engine hands out automatic ones from the upper half (Divide). With one range, the
// engine would give a stopped container's fixed address to the next container that
// asks for none.
//
// A container joins other networks between its creation and its start. A process may
// look for its database first of all, and a process that could not join must never
// run. The app's own network stays the one with the fixed address.
//
// A container that runs the code of people who only push is restricted (Spec.Restricted). It
// has nine of the 14 capabilities that Docker gives, those without which images cannot prepare
// themselves as root and become another user: see Capabilities. Left out are
//
//   - MKNOD and NET_RAW, which make devices of the host's and packets in another's name. Ping
//     needs neither: the engine allows its sockets to everybody;
//   - AUDIT_WRITE, by which a container fills the host's audit log. PAM's su and cron need it
//     where the image's PAM writes that log; become another user with setpriv or gosu instead;
//   - SETFCAP, since no file gives capabilities to a process without new privileges, and since
//     one in a mounted folder would give them to users of the host;
//   - SYS_CHROOT, the first step of known ways out of a container, which sshd and mail servers
//     use, but no web app.
//
// Podman leaves out the first three too. SETPCAP and NET_BIND_SERVICE stay although a root
// process could do without: setpriv gives up the rest with the former, and a program that has
// the latter as a capability of its file cannot start without. The engine's own filter of
// system calls applies, since nothing here names another one: engine.Info says if it has none.
//
// Remove never removes an image by force. It takes only names away that a deploy gave
// (TagPrefix), and leaves an image alone that any container, running or not, was made
// from. A network that only stopped containers use stays as well: without it they
// could never start again.
//
// An engine may serve Dokku too, and its containers, images and volumes have the same label
// of the app, and more names in common. Containers without the label of an attempt, images
// and volumes with the label of Dokku's vendor are not ours (OfDokku): they are not observed,
// and never removed. A name that such an image has (Taken) is left to it.
//
// Watch is level-triggered. "connected" means: look at everything. Watch sends it
// first, after each reconnection, and after it had to drop events for a slow
// receiver.
//
// Every call has a deadline beside its context's (Within, Settled). Errors that a
// caller tells apart are values (see ErrAddressInUse). Every error names the thing,
// the value and, where there is one, the fix.
//
// Push names an image for its registry only while it pushes: Remove leaves names outside
// TagPrefix alone, so a name that stayed would keep the image for ever. The next push of the
// app to that repository takes away what a killed one has left. The result is the name by
// digest, since tags of a registry can move.
//
// The rules that every engine has to follow are written here once, and the
// implementations call them: the labels of a Spec, its validation, the restart
// policies, the owners of an image, the division of a subnet. A package internal to
// the engines was rejected: a Spec's rules belong to the Spec.
package engine
