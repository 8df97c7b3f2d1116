// Package daemon runs BuildKit beside the Docker Engine, for builds of people who are not
// trusted with the host. Package buildkit has it build; this package starts it, and keeps it
// from the rest of the server.
//
// # Decisions
//
//   - The daemon is a program of a module of its own (folder buildkitd, which nothing here
//     imports), with the three programs of CNI that make the network of a step. install.sh
//     builds them from pinned versions: an engine of a distribution can have a BuildKit with
//     known holes for years (CVE-2024-23651 is not closed in Debian 12). runc is the
//     distribution's, which docker.io brings.
//   - Root runs it, in network, mount, process, IPC and host name namespaces of its own. Rootless
//     was rejected for now: it needs rootlesskit and slirp4netns or user namespaces that some
//     kernels do not give to users, and a cgroup that a user may limit exists with systemd and
//     version 2 of cgroups alone. So steps are contained as the engine's containers are:
//     runc, its seccomp filter and its capabilities, and no entitlement can be had.
//   - The daemon is the init of its process namespace. Whatever kills it, kills all steps, and
//     whatever kills the service kills the daemon.
//   - One cgroup limits memory, processors and processes of daemon and steps; steps get less
//     memory than both together, so that they meet their limit before the daemon does, and
//     the number of processes is theirs alone. Version 1 and 2 are both known. All builds
//     share the limits: one that takes all of the memory can fail another one.
//   - Builds take what the rest of the host leaves of the processors (cpu.idle, Linux 5.15), and
//     the share of a weight only while the host is so busy that they would starve. A push has
//     short work for many processes, each of which waits for its turn beside a busy step: with
//     the weight alone it took 1.42 times as long on two processors, and 1.15 times
//     since. Rejected: a tenth of the weight for steps (1.42), a limit of processors for them
//     (1.42; 1.32 with one of two), shorter slices (1.32), and cpu.idle at all times.
//   - The network is one pair of devices to the host, and behind it, inside the daemon's
//     namespace, one pair for each step (CNI's ptp): steps have no network in common. Rejected:
//     a bridge, on which they would see each other; the daemon's own network, whose loopback
//     they would share.
//   - Two sets of rules filter what leaves. Those in the daemon's namespace are this
//     package's alone, so no firewall of the host can remove them: they refuse
//     loopback, private, link-local (with the metadata address) and multicast networks, and
//     the host's own addresses. Those of the host refuse the host's own ports, its
//     bridges and whatever comes from containers; they are put back within seconds when a
//     firewall that is loaded again has removed them. There is no IPv6.
//   - iptables writes both: docker.io depends on it, and on a host with nftables it writes
//     those. A host whose firewall drops what it forwards (not Docker's own policy, which the
//     rules precede) has to allow the device.
//   - DNS asks the host's servers, on port 53 alone, also where they have private addresses. A
//     host whose only resolver listens on loopback gets that resolver's own servers, or
//     Google's, as Docker does.
//   - An image that reads a Dockerfile (# syntax=) runs in the daemon's network namespace, and
//     so behind the same rules. Only images of a list may: without a list BuildKit allows all.
//   - The socket is in a folder that only root and the owner of the apps may enter.
//   - Other settings start the daemon again, but not while a build runs.
package daemon
