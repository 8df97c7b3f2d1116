// Package firewall keeps containers from the ports of the host, from other networks of the engine
// and from a cloud's metadata service. It has both sides: the agent, a plain user, says what the
// rules are (Rules, Helper), and root's part puts them into the kernel (Serve, Boot, Remove).
//
// # Decisions
//
//   - The rules are ours alone: a table of nftables, or chains of iptables where nft does not
//     work. Nothing of Docker's, ufw's or firewalld's is changed. In nftables a drop is final and
//     an accept is not, so base chains of our own hold whatever other tables accept, before and
//     after. In iptables the chains hang in the table mangle, which Docker, ufw and
//     firewalld leave alone: in filter, Docker puts its own jumps before all others each time
//     that it starts. Only filter may refuse a packet, so iptables drops it: a connection
//     then fails after a time instead of at once.
//   - Steps of the engine's builds have the engine's default network, as containers that people start
//     by hand do, and no address that anybody knows before. An administrator may have that bridge filtered
//     (builder:set build-network); all other containers there are excepted by address. It is
//     open by default: a container of another program would wait for its exception after each start,
//     and builds that ask a cache of packages at the gateway would fail after an update. Rejected: a
//     network of their own, which the engine's BuildKit does not take.
//   - A swarm's processes are not filtered: they run on nodes whose kernel is not this one's, in an
//     overlay whose gateway to the host, docker_gwbridge, all services share, and the engine does
//     not tell the addresses there of those on other nodes.
//   - What comes in by the bridge of an isolated app is filtered. Docker names a bridge, so no rule
//     depends on addresses that an app could have tomorrow. A shared network, such as that
//     of a database, is a way to the host too, at its own gateway, and often the default route: the
//     bridges of all networks that an isolated app joins are filtered, and who else is there is
//     excepted by address (Bridge.Except). Rejected: the addresses of isolated
//     containers, since the engine chooses those on shared networks while a container starts,
//     which leaves it a moment without rules; networks with names of their own for isolated apps,
//     since an app would need two networks while isolation:enable is gated.
//   - A packet in the direction of a reply passes: the gate, nginx and visitors connect to
//     containers. All others are judged one by one, those of old connections too, so closing a
//     port cuts what uses it.
//   - Allowed on the host: ICMP, DNS (port 53: the engine's own resolver asks the host's servers
//     from within the container, and one of them may be this host or a metadata address), the
//     ports at which nginx and apps are served, and what network:set host-ports opens.
//   - The engine keeps its bridges apart by itself, but not what is published: the rules say it
//     again for the networks that it has.
//   - Metadata addresses give a cloud's credentials to whoever asks: 169.254.0.0/16 (all
//     clouds), fd00:ec2::254 (AWS), 100.100.100.200 (Alibaba) and 168.63.129.16 (Azure). What
//     counts is the address that the container asked for, whatever NAT makes of it.
//   - Root's part takes data and no text of a rule: interface names, addresses and ports, each
//     parsed. It refuses an interface that is there and is no bridge, since rules on the host's own one would
//     lock its administrator out. It looks programs up in root's folders alone, and gives them an
//     environment of its own.
//   - All rules are replaced in one transaction. What they were is kept, for the next boot, which
//     has to come before the first container, and so does what the kernel lists afterwards, by which Serve finds out
//     whether somebody has removed some. The agent asks each minute: a plain user cannot
//     read the kernel's rules.
package firewall
