package swarm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"golang.org/x/sync/singleflight"

	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/node"
)

// Config says how the nodes of the swarm are served. The zero Config: processes are reached at
// the ports that nodes publish, without TLS, and engines of other nodes are not asked.
type Config struct {
	Keys node.Keys
	// Program is the path of the program for linux that nodes run with the word node.Command.
	// It needs no other files.
	Program string
}

// ServiceName is the name of the node service, and imageName that of its image: no app, whose
// images may be in the same place, has a name with a _.
const (
	ServiceName = "dokku-node"
	imageName   = "dokku_node"
)

// Labels of the node service.
const (
	labelKeys    = "com.dokku.node-keys"    // node.ID of its keys
	labelProgram = "com.dokku.node-program" // its program's SHA-256
	// labelFrom is the node of the server that has given the nodes its image.
	labelFrom = "com.dokku.node-from"
	// labelServes: processes are reached by it.
	labelServes = "com.dokku.node-serves"
	// labelHides: it serves processes whose port is not published (node.LabelPort).
	labelHides = "com.dokku.node-hides"
)

// guard is what an Engine knows about the node service.
type guard struct {
	config Config
	once   singleflight.Group
	serves atomic.Bool // the service is there and serves
	hides  atomic.Bool // see labelHides

	clients node.Clients

	mu      sync.Mutex
	engines map[string]*docker.Engine // by the addresses of their nodes
}

const (
	// guardLimit is how long all nodes may take to pull and to start the node service.
	guardLimit = 2 * time.Minute
	// enterLimit is how long a node may take to serve a process that has started. The port may
	// be that of a connection which has ended: the kernel keeps it for 60 s. See package node.
	enterLimit = 75 * time.Second
	// takenLimit is how long a port may be another program's before the group, if it is new, gets
	// other ones.
	takenLimit = 2 * time.Second
)

// protect has every node run the node service, and waits until processes are reached by it.
func (e *Engine) protect(ctx context.Context, p *engine.Placement) error {
	if e.guard.config.Keys.Dir == "" || e.guard.serves.Load() {
		return nil
	}
	_, err, _ := e.guard.once.Do("", func() (none any, err error) {
		// It makes several calls, and the managers may lose their leader at each of them.
		for late := time.Now().Add(guardLimit / 2); ; {
			err = e.serve(ctx, repositoryBeside(p.Image), p.Auth, false)
			if !errors.Is(err, engine.ErrNoQuorum) || time.Now().After(late) || ctx.Err() != nil {
				return nil, err
			}
		}
	})
	if err != nil {
		return fmt.Errorf("cannot start the node service: %w", err)
	}
	e.guard.serves.Store(true)
	return nil
}

// repositoryBeside returns the repository of the node service's image: it stands beside that of
// an app's image, which this server may push to.
func repositoryBeside(name string) string {
	repository, _, _ := strings.Cut(name, "@")
	return repository[:strings.LastIndex(repository, "/")+1] + imageName
}

// errForeignKeys: another server has given the nodes their keys.
var errForeignKeys = errors.New("the nodes of this swarm have the keys of another server")

// serve makes the node service, or gives it the present keys, and with renew the present
// program.
func (e *Engine) serve(ctx context.Context, repository string, auth engine.RegistryAuth, renew bool) error {
	s, err := patient(ctx, func() (swarm.Service, error) { return e.named(ctx, ServiceName) })
	if err != nil {
		return err
	}
	if s.ID != "" && s.Spec.Labels[labelKeys] == "" {
		return fmt.Errorf("a service that is not dokku's has the name %s: remove or rename it", ServiceName)
	}
	if _, err := e.guard.config.Keys.Load(); s.ID != "" && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: with others, requests to the apps of that server would fail. If this server takes its place, restore its backup here first (dokku restore); "+
			"if it is gone for good, and its backups too: docker service rm %s", errForeignKeys, ServiceName)
	}
	keys, err := e.guard.config.Keys.Make(ctx, time.Now())
	if err != nil {
		return err
	}
	current := s.ID != "" && s.Spec.Labels[labelKeys] == node.ID(keys.Node)
	if current && engine.RepositoryOf(s.Spec.TaskTemplate.ContainerSpec.Image) != repository {
		// The registry of a server that this one replaces may be lost with it.
		c, err := e.docker.Cluster(ctx)
		if err != nil {
			return err
		}
		current = s.Spec.Labels[labelFrom] == c.Self
	}
	if current {
		e.forgetSecrets(ctx, s)
	}
	program := s.Spec.Labels[labelProgram]
	if !current || renew {
		if program, err = sumOf(e.guard.config.Program); err != nil {
			return err
		}
	}
	if !current || program != s.Spec.Labels[labelProgram] {
		if s, err = e.install(ctx, s, keys, repository, program, auth); err != nil {
			return err
		}
	}
	if s.Spec.Labels[labelServes] == "" {
		err = e.begin(ctx)
	}
	e.guard.hides.Store(err == nil && s.Spec.Labels[labelHides] != "")
	return err
}

// install makes or changes the service.
func (e *Engine) install(ctx context.Context, s swarm.Service, keys node.Set, repository, program string, auth engine.RegistryAuth) (swarm.Service, error) {
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return s, err
	}
	remote, err := e.pushProgram(ctx, cli, repository, program, auth)
	if err != nil {
		return s, err
	}
	secret, err := patient(ctx, func() (*swarm.SecretReference, error) { return e.secret(ctx, cli, keys) })
	if err != nil {
		return s, err
	}
	wanted := nodeService(remote, secret)
	self, err := e.docker.Cluster(ctx)
	if err != nil {
		return s, err
	}
	wanted.Labels = map[string]string{labelKeys: node.ID(keys.Node), labelProgram: program, labelFrom: self.Self, labelHides: "true"}
	login, err := docker.EncodedLogin(auth)
	if err != nil {
		return s, err
	}
	return patient(ctx, func() (swarm.Service, error) {
		if s.ID == "" {
			groups, err := e.look(ctx, "", "")
			if err != nil {
				return s, err
			}
			if len(groups) == 0 { // nothing is reached in another way
				wanted.Labels[labelServes] = "true"
			}
			_, err = cli.ServiceCreate(ctx, wanted, swarm.ServiceCreateOptions{EncodedRegistryAuth: login})
			if err != nil && !strings.Contains(err.Error(), "name conflicts") {
				return s, e.docker.ExplainSwarm(ctx, err)
			}
			return e.named(ctx, ServiceName)
		}
		if serves := s.Spec.Labels[labelServes]; serves != "" {
			wanted.Labels[labelServes] = serves
		}
		if _, err := cli.ServiceUpdate(ctx, s.ID, s.Version, wanted, swarm.ServiceUpdateOptions{EncodedRegistryAuth: login}); err != nil {
			return s, e.docker.ExplainSwarm(ctx, err)
		}
		return e.named(ctx, ServiceName)
	})
}

// nodeService is the service: one process for each node, in the node's own network.
func nodeService(remote string, secret *swarm.SecretReference) swarm.ServiceSpec {
	return swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: ServiceName},
		Mode:        swarm.ServiceMode{Global: &swarm.GlobalService{}},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: &swarm.ContainerSpec{
				Image: remote, Args: []string{node.Command}, ReadOnly: true, StopGracePeriod: new(node.StopGrace), CapabilityDrop: []string{"ALL"},
				Secrets:     []*swarm.SecretReference{secret},
				Mounts:      []mount.Mount{{Type: mount.TypeBind, Source: node.Socket, Target: node.Socket}},
				Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
			},
			RestartPolicy: &swarm.RestartPolicy{Condition: swarm.RestartPolicyConditionAny, Delay: new(restartDelay)},
			Networks:      []swarm.NetworkAttachmentConfig{{Target: "host"}},
			LogDriver:     &swarm.Driver{Name: "json-file", Options: map[string]string{"max-size": "1m", "max-file": "2"}},
		},
		// The new one serves before the former one is told to end, see package node.
		UpdateConfig: &swarm.UpdateConfig{Parallelism: 1, Order: swarm.UpdateOrderStartFirst, FailureAction: swarm.UpdateFailureActionPause},
	}
}

// begin has processes be reached by the service, as soon as it serves on all nodes that may
// have some. Until then they are reached as before.
func (e *Engine) begin(ctx context.Context) error {
	ctx, cancel := engine.Within(ctx, guardLimit)
	defer cancel()
	for {
		nodes, err := patient(ctx, func() ([]engine.Node, error) { return e.docker.Nodes(ctx) })
		if err != nil {
			return err
		}
		var failed []error
		for _, n := range nodes {
			if n.State == engine.NodeReady && n.Availability != engine.NodeDrained {
				failed = append(failed, e.asks(ctx, n))
			}
		}
		why := errors.Join(failed...)
		if why == nil {
			break
		}
		if engine.Pause(ctx, waitPause); ctx.Err() != nil {
			return why
		}
	}
	cli, err := e.docker.Manager(ctx)
	if err != nil {
		return err
	}
	s, err := e.named(ctx, ServiceName)
	if err != nil || s.ID == "" || s.Spec.Labels[labelServes] != "" {
		return err
	}
	s.Spec.Labels[labelServes] = "true"
	_, err = cli.ServiceUpdate(ctx, s.ID, s.Version, s.Spec, swarm.ServiceUpdateOptions{})
	return e.docker.ExplainSwarm(ctx, err)
}

// guarded reports whether processes are reached by the node service.
func (e *Engine) guarded(ctx context.Context) (bool, error) {
	if e.guard.config.Keys.Dir == "" {
		return false, nil
	}
	s, err := e.named(ctx, ServiceName)
	serves := s.Spec.Labels[labelServes] != ""
	if err == nil && !serves { // somebody has removed it
		e.guard.serves.Store(false)
	}
	return serves, err
}

// asks asks the engine of a node by the node service, over a connection of its own: one that is
// kept may be to a service that has been told to end.
func (e *Engine) asks(ctx context.Context, n engine.Node) error {
	at, err := node.API(n.Address)
	if err == nil {
		c, cancel := context.WithTimeout(ctx, answerLimit)
		defer cancel()
		err = ping(c, &e.guard.clients, at.String())
	}
	if err != nil {
		return fmt.Errorf("%s: %w%s", n.Name, err, e.trouble(ctx, n.ID))
	}
	return nil
}

// ping makes one request to an engine.
func ping(ctx context.Context, c *node.Clients, at string) error {
	conn, err := c.Dial(ctx, "tcp", at)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	// A node that does not take the certificate says so after the handshake.
	if _, err = io.WriteString(conn, "GET /_ping HTTP/1.0\r\n\r\n"); err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	return cmp.Or(context.Cause(ctx), err)
}

// engineAt returns the engine of the node at an address.
func (e *Engine) engineAt(address string) (*docker.Engine, error) {
	at, err := node.API(address)
	if err != nil {
		return nil, err
	}
	g := &e.guard
	if _, err := g.clients.Client(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.engines[address] == nil {
		d, err := docker.New(docker.Config{Host: "tcp://" + at.String(), Dial: g.clients.Dial})
		if err != nil {
			return nil, err
		}
		if g.engines == nil {
			g.engines = map[string]*docker.Engine{}
		}
		g.engines[address] = d
	}
	return g.engines[address], nil
}

// remote returns the engine of a process's node.
func (e *Engine) remote(ctx context.Context, m member) (engine.Host, error) {
	if e.guard.config.Keys.Dir == "" {
		return nil, errors.New("nothing of dokku runs there")
	}
	d, err := e.engineAt(m.Address.String())
	if err == nil {
		_, err = d.Manager(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, e.trouble(ctx, m.task.NodeID))
	}
	return d, nil
}

// portTakenError is an engine.ErrPortTaken in other words.
type portTakenError struct{ error }

func (portTakenError) Is(target error) bool { return target == engine.ErrPortTaken }

// entered waits until the node serves a process that runs, and returns the process as it is
// then. A process of a group that this Engine makes does not wait for a port.
func (e *Engine) entered(ctx context.Context, name string, i engine.Instance) (engine.Instance, error) {
	c, cancel := engine.Within(ctx, enterLimit)
	defer cancel()
	asks := time.Now().Add(takenLimit)
	for looked := time.Now(); ; {
		err := knock(c, i.Reach(0).String())
		if err == nil {
			return i, nil
		}
		engine.Pause(c, taskPause)
		if ctx.Err() != nil {
			return i, context.Cause(ctx)
		}
		if late := c.Err() != nil; late || time.Now().After(asks) && e.makes(name) {
			m, _ := e.member(ctx, i.ID)
			why := e.unserved(ctx, m, i.Reach(0))
			failed := fmt.Errorf("%s is on %s, where the node service does not serve it: %w%s", i.Name, i.Node, err, why)
			if node.PortTaken(why) {
				return i, portTakenError{failed}
			} else if late {
				return i, failed
			}
			asks = time.Now().Add(takenLimit)
		}
		if time.Since(looked) < waitPause {
			continue
		}
		looked = time.Now()
		m, err := e.member(c, i.ID)
		switch {
		case errors.Is(err, engine.ErrNoContainer):
			return i, errRemoved
		case err == nil && !m.Running(): // what waits for it will see that
			return m.Instance, nil
		}
		if err == nil {
			i = m.Instance // it may be on another node
		}
	}
}
