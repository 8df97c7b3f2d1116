// Package cluster is about the swarm of engines that the server's engine is a member of: it
// forms it, drains nodes, and judges its state for cluster:nodes and the doctor. Docker
// Swarm places, supervises and heals; nothing here elects, probes or remembers.
//
// # Decisions
//
// Nodes join with docker swarm join, so that they need nothing of this program. Before that
// they make Docker's gateway network themselves, bound to 127.0.0.1: the engine would publish the
// ports of processes on public addresses, too. The node service, which the swarm brings,
// serves the processes over TLS (package engine/node). Nothing about the swarm is stored: each call asks the engine, and what people did with docker
// itself counts.
//
// An operation that finds its work done is no error (init of the same swarm, drain of a
// drained node). What cannot be taken back is refused and says why: the last place for
// processes is not drained, and a manager leaves by force alone, because it would stay in
// the count of managers. Rejected: to demote a manager before it leaves, since its new role
// arrives some seconds later, and a leave in between is the forced one.
//
// The times of certificates come from a handshake with each manager's port: their files
// belong to root, and the engine does not tell. Workers have no such port; a worker whose
// certificate has ended is a node that is down.
//
// Swarm tells no node's clock. The doctor says whether the kernel's clock of this server is
// synchronised, and finds a manager whose certificate begins in the future.
package cluster
