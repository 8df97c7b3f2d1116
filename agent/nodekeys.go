package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/node"
	"dokku/agent/event"
	"dokku/agent/store"
	"dokku/agent/text"
)

// RenewBefore is how long before their end the agent changes the certificates by which this
// server and the nodes of its swarm know each other. They are valid for ten years.
const RenewBefore = 400 * 24 * time.Hour

// ErrNoNodeKeys: nothing was ever placed on the swarm, so there are no certificates.
var ErrNoNodeKeys = errors.New("there is no node service yet, and so there are no certificates: it starts with the first process on the swarm")

// RotateNodeKeys changes all certificates between this server, its front doors and the nodes of
// its swarm, and the authority that signs them, without losing a request. It finishes a change
// that was interrupted, and then makes no other one.
func (s *Server) RotateNodeKeys(ctx context.Context, log event.Log) error {
	l, err := s.Env.Store.LockApp(ctx, store.NodesLock, "changing the certificates of the nodes", log)
	if err != nil {
		return err
	}
	defer l.Release()
	return s.rotateNodeKeys(ctx, true, log)
}

// TendNodeKeys goes on with a change of the certificates that was interrupted, and begins one
// before they end. It does nothing while another process does that.
func (s *Server) TendNodeKeys(ctx context.Context, log event.Log) error {
	keys := deploy.NodeKeys(s.Env.Store)
	stage, err := keys.Stage()
	if err != nil {
		return err
	}
	begin := false
	if stage == node.Steady {
		set, err := keys.Load()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if begin = time.Until(node.Expires(set.Bundle())) < RenewBefore; !begin {
			return nil
		}
	}
	l, free, err := s.Env.Store.TryLock(store.NodesLock, "changing the certificates of the nodes")
	if err != nil || !free {
		return err
	}
	defer l.Release()
	return s.rotateNodeKeys(ctx, begin, log)
}

// rotateNodeKeys goes from stage to stage (see node.Stage), and begins with the first one if
// begin says so and no change is under way. The caller holds store.NodesLock.
func (s *Server) rotateNodeKeys(ctx context.Context, begin bool, log event.Log) error {
	host, err := s.Host()
	if err != nil {
		return err
	}
	keys := deploy.NodeKeys(s.Env.Store)
	stage, err := keys.Stage()
	if err != nil {
		return err
	}
	if stage == node.Steady {
		if err := s.mayRotate(ctx, host, keys); !begin || err != nil {
			return err
		}
	}
	for first := true; ; first = false {
		if !first || stage == node.Steady { // else somebody was killed at this stage
			if err := s.Env.Store.At("change the keys of the nodes"); err != nil {
				return err
			}
			if stage, err = keys.Advance(ctx, time.Now()); err != nil {
				return err
			}
		}
		if err := s.spreadNodeKeys(ctx, host, stage, log); stage == node.Steady || err != nil {
			return err
		}
	}
}

// mayRotate returns an error if there is nothing to change, or if a node would not take part.
func (s *Server) mayRotate(ctx context.Context, host engine.NodeServices, keys node.Keys) error {
	if _, err := keys.Load(); errors.Is(err, fs.ErrNotExist) {
		return ErrNoNodeKeys
	} else if err != nil {
		return err
	}
	services, err := host.NodeServices(ctx)
	if err != nil {
		return err
	}
	for _, n := range services {
		if n.Trouble != "" {
			return fmt.Errorf("the node service does not serve on %s; nothing was changed", n.Trouble)
		}
	}
	return nil
}

// spreadNodeKeys gives everybody what a stage says.
func (s *Server) spreadNodeKeys(ctx context.Context, host engine.NodeServices, stage node.Stage, log event.Log) error {
	toNodes := func() error {
		if err := s.RenewNodeService(ctx); err != nil {
			return err
		}
		return host.AwaitNodeService(ctx)
	}
	switch stage {
	case node.NodesTrust:
		log.Step("Giving the nodes a new authority, beside the old one")
		return toNodes()
	case node.ClientsChange:
		log.Step("Giving new certificates to this server and its front doors")
		wait, err := s.rerouteSwarm(ctx, log)
		if err != nil {
			return err
		}
		if wait > 0 { // a proxy may still connect to a process for a request that began before
			log.Detail("waiting %s for requests that began with the old ones", text.Plural(int(wait.Seconds()), "second"))
			engine.Pause(ctx, wait)
		}
		return context.Cause(ctx)
	case node.NodesChange:
		log.Step("Giving new certificates to the nodes")
		return toNodes()
	case node.ClientsForget:
		log.Step("Taking out the old authority")
		_, err := s.rerouteSwarm(ctx, log)
		return err
	}
	return s.RenewNodeService(ctx) // the swarm forgets the old keys
}

// rerouteSwarm publishes the routes of all apps on the swarm with the present certificates. grace
// is the longest time that their old processes get after a deploy, for requests that began before.
func (s *Server) rerouteSwarm(ctx context.Context, log event.Log) (grace time.Duration, err error) {
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return 0, err
	}
	for _, name := range apps {
		v, err := s.View(name)
		if none := new(app.NoAppError); errors.As(err, &none) {
			continue // it was destroyed meanwhile
		}
		if err == nil && v.Current != nil && v.Current.OnSwarm() {
			grace = max(grace, deploy.WaitToRetire(v))
			err = s.Reconcile(ctx, name, log)
		}
		if err != nil {
			return 0, fmt.Errorf("cannot give %s the new certificates: %w", name, err)
		}
	}
	return grace, nil
}
