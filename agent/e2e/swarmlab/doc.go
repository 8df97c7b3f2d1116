// Package swarmlab starts several Docker Engines on one machine, for tests of swarms. Each
// engine has namespaces of its own for network, processes, mounts and its host name, and its
// own folders: data root, exec root with a containerd, /etc/docker, /run, socket. A switch in a
// namespace of its own connects them with each other and with the machine, where the front
// door and the test are. Three engines answer after about a second.
//
// # Decisions
//
// The switch is a bridge in a namespace, since the machine's own engine sets the policy of
// forwarding to DROP, and with bridge-nf-call-iptables that drops what a bridge of the
// machine passes on.
//
// An engine is the first process of its namespace of processes. Killed, it takes containerd,
// shims and containers along, as a loss of power does, and leaves no mount behind. It also
// dies with the test, however that ends; what it leaves then is removed by the next lab.
// The machine's own engine is never asked, and containers of a lab have a control group
// of the lab.
//
// # What was seen
//
// Docker 20.10.24 on a kernel 6.18 with VXLAN, without IPVS and without ESP:
//
//   - Init takes 0.6 s, a join 0.2 s. A worker that is cut off is down after three heartbeats,
//     15 s by default (Hurry makes that 3 s). The loss of one of two managers is noticed by the
//     other after up to 40 s, and calls to it wait meanwhile; it leads again some 30 s after
//     the link is back.
//   - Overlay networks carry data between nodes. Encrypted ones do not, since the kernel
//     refuses the security associations (ESP); nothing but the engine's log says so.
//   - Without IPVS, virtual addresses of services and the routing mesh (ingress) do not work.
//     tasks.NAME and endpoint mode dnsrr do, and ports of mode host: the node chooses one,
//     the task's status names it (twice, for IPv4 and IPv6), and the machine reaches it at
//     the node's address.
//   - service create asks a registry for each image, and waits 20 s for one that cannot be
//     reached; --no-resolve-image does not.
//   - service update that changes replicas alone leaves the running tasks as they are. Tasks
//     that are scaled away are forgotten, with their logs and exit codes.
//   - With the restart condition none a task is not placed anew when its node is drained or dies.
//   - While managers lose or choose a leader, calls wait for 20 s and then fail with
//     DeadlineExceeded; others begin at once to fail with "does not have a leader". Another
//     leader is there after 10 to 25 s.
//   - A node whose engine is killed refuses connections; one whose link is cut says nothing.
//   - An engine with live-restore refuses to init and to join.
package swarmlab
