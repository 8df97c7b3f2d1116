// Package doors publishes routes at other servers too. A front door is a server with nginx
// and this program, without apps of its own, that serves visitors with the routes and
// certificates of the server that the apps belong to.
//
// # How they speak
//
// The server calls its front doors over ssh: sshd is on every server, and knows keys, host
// keys and revoked ones. At a front door, a forced command starts this program for each
// call. It reads one request on standard input, JSON with a route and the files that the route
// names, carries it out with package nginx on its own files, and answers. Stage, Publish with
// its proof, Withdraw, Live and Refresh are those of that package, and so is what a crash
// leaves behind. A process has one connection for each front door; most commands end before a
// second call.
//
// The key opens nothing else: no shell, no forwarding, no other command. A front door
// checks a request as if anybody had sent it: the version of the protocol, the route
// (Route.Checked), the sizes, and that each file is one that the route names. An admin's own
// nginx files (nginx.conf.d) are sent too, and they may say everything that nginx can: the
// server is the master of its front doors.
//
// Rejected: a daemon with a port of its own, which would need certificates, a firewall's
// rule and updates of its own; copying nginx's files (rsync), since nobody would test them
// there, prove that they serve, or notice two writers; a store that both sides read, since
// there is none without a third party.
//
// A change of the protocol raises its number. Both sides refuse the other number in words
// that say what to do, since half of a route is worse than none.
//
// # Two kinds of routes
//
// The processes of a swarm are reached by every server (Route.Elsewhere): a front door asks
// them by itself, with the certificate that the route names (Route.Entrance), and serves on while
// the first server is down. All other processes are on a
// bridge of the first server, which nobody else reaches. There a front door passes each
// request on to the first server's nginx (Route.Onward): to the port that the visitor asked,
// over TLS if the visitor came so, with the same name. So every name works at every front
// door. The first server does what it does anyway (redirects, passwords, maintenance, the
// admin's files), and believes what front doors say about visitors. view leaves that out, and
// the release and the processes' addresses: a deploy of such an app changes nothing at
// the front doors, and succeeds while they are down.
//
// The certificate of the first server is not verified on the way: it may be self-signed, or
// that of an internal CA. Whoever can change packets between both servers could pose as the
// first one; where that is no private network, use WireGuard or the like. Rejected: pinning
// the certificate, since a renewal would then have to reach both in one step.
//
// # When a route is live
//
// A route is live once all enabled front doors have proven it and then this server's proxy.
// The order keeps the contract of Proxy: if Publish fails, the previous route is live here, and
// the agent tries again. Meanwhile the front doors serve the old route or the new one, and
// both have processes: Live returns a route that is outdated, with the upstreams of both, so
// that the plan neither takes it for done nor stops any of them. A front door that cannot be
// reached therefore holds up deploys, as it must: it may still send visitors to the old
// processes. The error names the way out, front-door:disable, which people call after they
// have taken it out of the DNS; nobody can do that for them.
//
// Rejected: a majority. A front door could still have visitors, who would get errors for as long
// as it is behind. For the same reason none is left out after a time unless its admin wants that
// (leave-out-after): see package frontdoor.
//
// # What is written down
//
// For each front door and app there is a record of the route that it has proven, of what it
// calls it, and of the processes that it may ask. Live compares the local route with the records,
// so that no look at an app asks a front door. A record is written before a front door is
// told (with the processes of both routes, and without a proven one) and after it has proven
// the route; a crash in between leaves a route that counts as not proven. A lost record costs
// one more publish.
//
// Front doors can lose or change their files by themselves: a disk is replaced, a snapshot
// brought back, the program updated there. So the agent asks each of them twice a minute for its
// live routes (Look). A route that is not the proven one counts as not proven; the app is
// published again under its lock, as after any other change. One that this server does not know
// is withdrawn.
//
// The records are not part of a backup, nor is the key: a restored server sends its front
// doors nothing before somebody enables them, since the server that it is a copy of may live.
package doors
