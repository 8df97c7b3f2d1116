// Package cluster has the commands about the swarm of servers, cluster:*.
package cluster
