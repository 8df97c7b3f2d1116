package swarm

import (
	"context"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/docker/client"

	"dokku/agent/engine/node"
)

// secret gives the swarm the keys of the nodes.
func (e *Engine) secret(ctx context.Context, cli *client.Client, keys node.Set) (*swarm.SecretReference, error) {
	name := ServiceName + "-" + node.ID(keys.Node)[:12]
	_, err := cli.SecretCreate(ctx, swarm.SecretSpec{Annotations: swarm.Annotations{Name: name, Labels: map[string]string{labelKeys: node.ID(keys.Node)}}, Data: keys.Bundle()})
	if err != nil && !strings.Contains(err.Error(), "already exists") && !strings.Contains(err.Error(), "name conflicts") {
		return nil, e.docker.ExplainSwarm(ctx, err)
	}
	s, _, err := cli.SecretInspectWithRaw(ctx, name)
	if err != nil {
		return nil, e.docker.ExplainSwarm(ctx, err)
	}
	return &swarm.SecretReference{SecretID: s.ID, SecretName: name, File: &swarm.SecretReferenceFileTarget{Name: ServiceName, UID: "0", GID: "0", Mode: 0o400}}, nil
}

// forgetSecrets removes the keys that nodes had before. The swarm keeps what a service has.
func (e *Engine) forgetSecrets(ctx context.Context, s swarm.Service) {
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return
	}
	list, _ := cli.SecretList(ctx, swarm.SecretListOptions{Filters: filters.NewArgs(filters.Arg("label", labelKeys))})
	for _, old := range list {
		if old.Spec.Labels[labelKeys] != s.Spec.Labels[labelKeys] {
			_ = cli.SecretRemove(ctx, old.ID)
		}
	}
}
