// Package node is the service that runs on each node of a swarm, and the client of it: the only
// way from outside to the processes that the swarm has placed. Package swarm has the swarm run
// it.
//
// # Why it exists
//
// Whatever Docker publishes at an address of a node, anybody on its network can read and ask.
// Overlay encryption needs ESP in every kernel, covers no published port, and fails in silence.
// So nodes publish the ports of processes on themselves alone (docker_gwbridge is bound to
// 127.0.0.1), and the service serves them at the node's address over TLS 1.3, to clients with
// a certificate of the first server.
//
// The swarm brings the program to a node: a global service, whose image is this program alone,
// and is pushed where the images of apps are. A node needs nothing but Docker, as before. The
// service has the network of its node and the socket of the engine. That gives the first
// server no power that it lacks: a manager of a swarm can start any container on any node.
//
// # Certificates
//
// An authority of the server's own signs three certificates, valid for ten years. The name in
// each says what its holder may do:
//
//   - node.dokku is that of all nodes, a secret of the swarm. It is one of a server: no holder is
//     taken for a client.
//   - door.dokku is that of proxies and of the gate: it reaches processes. nginx has it among its
//     certificates, and front doors get it with the routes that need it.
//   - manager.dokku stays on the first server: it also reaches the engines, and with them
//     everything on the nodes. A front door that was broken into has no way there.
//
// Rejected: the certificates of the swarm itself, since any node could pose as any other one; and
// a certificate for each node, since whoever has one node's engine gets what runs there anyway,
// and what it serves is chosen by the swarm.
//
// All of them change together, with the authority (Keys.Advance). Everybody who gets something new
// has to be trusted already by everybody else, and nobody gets anything at the same moment. So
// there are four stages: nodes trust the new authority too; clients have new certificates, and
// trust both authorities; nodes have new certificates, and trust the new authority alone; clients
// forget the old one. Between the second and the third, clients finish what they began. Each
// stage is a folder with a whole set of keys, and one rename makes it the present one: a kill
// leaves one or the other, and the agent goes on. Nodes that are down take no part; the swarm gives
// them the present keys before they serve again. Rejected: new certificates by the same authority,
// which help nobody whose authority was seen; a time at which all change, which needs clocks.
//
// The keys are part of a backup of the whole server: another server that takes its place goes on
// with them, and the routes by which visitors are served stay good. They open the engines of all
// nodes, so nobody restores them over ssh, and they are taken over only if the service on the
// nodes has the same ones: no file but a backup of that server proves to have their private keys.
// A restore without them makes new ones, and its first process gives them to the nodes; requests
// by the old routes fail from then on, for each app until it is restored. Without a restore, a
// server places nothing on nodes that have the keys of another one. Rejected: to send the
// keys to front doors, which are open to the world.
//
// # Ports
//
// A process that is published at port P is served at Port(P), the same on every node. The two
// differ, so that the service also works where the engine publishes ports at the node's
// address, which is how servers joined by earlier lines do: there the port itself is taken.
// Those ports lead to NoPort, and the doctor names the node. A second range
// was rejected (31 thousand ports below the usual ones belong to other programs).
//
// The kernel takes the same ports for connections, and no socket can be bound to one that a
// connection from the node's own address has, or had in the last 60 s (TIME_WAIT): SO_REUSEADDR
// helps only if the connection's socket has it too, and nginx's have not. A front door that is a
// node makes one for each request. connect() takes the ports with the parity of the first one of
// its range before it takes any other (see __inet_hash_connect), so half of the processes were
// concerned. The engine counts its ports up, so the service knows those that come next, and
// reserves 128 numbers ahead (reserve): it binds a socket to each at an address of the loopback
// network. No connection gets a port that has a socket bound explicitly, and what it had of
// connections is gone after a minute. A port that is in use nonetheless is reserved as well, so
// that the wait ends; the error of the deploy says what the service logs of it. Ports of the other
// parity are free, and the engine, which gives up after ten ports in use, finds every other one.
//
// Of 240 processes that begin one after the other, so many had to wait for their port, on a node
// whose nginx asks processes on another one, after a minute of that. The last line is a service
// that starts then; after its first minute, none waits.
//
//	                                    before   with the ports reserved
//	100 requests a second                54       0
//	500 requests a second               114       0
//	500, the service starts under it    109      29
//
// Rejected: odd ports only, since 28 thousand ports of the engine have no place on 16 thousand
// odd ones, and two processes of a node at one port would mean that a request reaches another app;
// two ports for each process, of which one is odd (the engine mixes those of containers that
// start together, and runs two programs for each); net.ipv4.ip_local_reserved_ports, which the
// service could set only with the host's /proc/sys, and which would outlive it and meet an
// admin's own value; a filter in the kernel, which needs rights over the host's network.
//
// Bytes are passed to the process's own address on docker_gwbridge. The port that the engine
// publishes would do, but docker-proxy accepts a connection before it knows whether the
// process does, and then nobody else could tell.
//
// Engines before Docker 28 pass on packets that a machine of the same link addresses to a
// container itself, if the container publishes that port, whatever address it is published at
// (moby#45610); a machine of that link could reach a process past the service. So containers
// publish NoPort, at which nothing listens, for its number on the node alone, and a label names
// the port of the process. The rest is the policy of the node's FORWARD chain: Docker makes it DROP
// where it is the one that switches forwarding on. Rejected: rules in the raw table of each node, which need the right to
// change a host's firewall, outlive the service, and meet those of an admin.
//
// # A connection
//
// The service connects to the process when the client's first message has come, before the
// client is known: one that cannot be connected becomes a reset during the handshake, and nginx
// asks another process, whatever the request is. In TLS 1.3 the server learns who the client
// is when the client takes the handshake for done and has sent its request, and a request that
// is not idempotent may not be sent twice. So a stranger can cause connections to a process,
// and neither send nor read a byte.
//
// The end of one direction is passed on, and so is a reset. There is no time limit but that of
// the handshake. A connection costs 32 KiB and two goroutines, beside TLS.
//
// # Updates
//
// The new version starts beside the old one, and both listen at the same ports (SO_REUSEPORT). A
// filter gives all new connections to the socket that came second. The old version accepts what
// has come to it for three more seconds, then closes, and ends with its last connection, or
// after an hour. Without the filter, the kernel resets what waits in a socket that is closed.
// Multipath TCP, which Go takes by default, knows no such filter, and is off.
//
// If the service dies, its connections die with it, and Swarm starts it after a second. nginx asks
// processes on other nodes meanwhile. Processes go on.
//
// # Costs
//
// BenchmarkRequest, on two cores with much other work: a request with a connection of its own
// takes 0.4 ms straight and 2.7 ms by the relay, with both sides of TLS on one machine and
// resumed sessions; on a kept connection 0.06 ms and 0.11 ms.
package node
