package engine

import (
	"context"
	"strings"
	"time"
)

// NodeService is the node service on one node of a swarm: it serves the processes there, see
// package node.
type NodeService struct {
	Node Node
	// Trouble says why it does not answer; "": it does.
	Trouble string
	// Outdated: it is of another version of this program, or has other keys than the last that
	// were given.
	Outdated bool
	// Open is the address at which the node publishes ports of processes also without it:
	// "0.0.0.0" for all of its addresses. "": it does not, or nobody can tell.
	Open string
	// Until is when the first of its certificates ends; zero: this server has none yet.
	Until time.Time
	// Off is how far the node's clock is before that of this server.
	Off time.Duration
}

// NodeServices manages the node service. Start makes it when it places the first process.
type NodeServices interface {
	// NodeServices returns it for each node that may run processes, sorted by their names.
	// There is none where nothing has been placed yet.
	NodeServices(ctx context.Context) ([]NodeService, error)
	// RenewNodeService gives all nodes the version of this program, and its keys. login returns
	// that of a registry. Without the service, or without keys, nothing happens.
	RenewNodeService(ctx context.Context, login func(server string) (RegistryAuth, error)) error
	// AwaitNodeService waits until nothing but what RenewNodeService gave last serves, on all
	// nodes that may run processes. It fails after two minutes, and names the nodes that lack it.
	AwaitNodeService(ctx context.Context) error
	// NodeServiceKeys returns node.ID of the keys that the nodes have; "": there is no service.
	NodeServiceKeys(ctx context.Context) (string, error)
	// PruneNodes removes images from the nodes: those of the repositories that are not in keep,
	// which are names by digest. On this machine it does so for repositories of which keep has
	// none. What a container has stays. It returns what it has done also with an error, which
	// names the nodes that do not answer.
	PruneNodes(ctx context.Context, repositories, keep []string) (Pruned, error)
}

// Pruned is what PruneNodes did.
type Pruned struct {
	Removed int // names of images
	// Left is how many containers still have such an image, and nodes are down or do not
	// answer: to ask again later makes sense.
	Left int
}

// RepositoryOf returns the repository of an image's name by digest.
func RepositoryOf(name string) string {
	repository, _, _ := strings.Cut(name, "@")
	return repository
}
