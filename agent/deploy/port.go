package deploy

import (
	"context"
	"net"
	"slices"
	"time"

	"dokku/agent/certs"
	"dokku/agent/checks"
	"dokku/agent/engine"
	"dokku/agent/engine/node"
	"dokku/scale"
)

// findsPort reports whether the rollout has to find out on which port web listens: the
// image exposes none, ports:set names none, and no web process serves that a wrong guess
// could replace.
func (o *rollout) findsPort(ctx context.Context, specs []engine.Spec) (bool, error) {
	x, web := o.session, false
	for _, s := range specs {
		web = web || s.Type == scale.Web
	}
	named := len(x.State.Ports) > 0 && x.State.Ports[0].Container != 0
	if !web || named || o.release.OnSwarm() || o.release == x.Current {
		return false, nil
	}
	info, err := o.imageInfo(ctx)
	if err != nil || len(info.Ports) > 0 {
		return false, err
	}
	serves, err := webServes(ctx, x)
	return !serves, err
}

// imageInfo inspects the release's image, once for a rollout.
func (o *rollout) imageInfo(ctx context.Context) (engine.ImageInfo, error) {
	if o.image.ID != "" {
		return o.image, nil
	}
	var err error
	o.image, err = o.host.Image(ctx, o.release.Image)
	return o.image, err
}

// servePatience bounds the connection to a web process that is said to serve.
const servePatience = time.Second

// webServes reports whether a web process of the current release accepts a connection.
func webServes(ctx context.Context, x *Session) (bool, error) {
	if x.Current == nil || x.State.Stopped {
		return false, nil
	}
	have, err := x.Env.InstancesOf(ctx, x.View())
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(have, func(i engine.Instance) bool {
		return i.Type == scale.Web && x.Env.Accepts(ctx, i, x.Current.Port)
	}), nil
}

// Accepts reports whether a running process accepts a connection on its port within a second.
func (e *Env) Accepts(ctx context.Context, i engine.Instance, port int) bool {
	at := i.Reach(port)
	if !i.Running() || !at.IsValid() {
		return false
	}
	dial := e.Dial
	if i.Secure {
		dial = e.dialNode
	}
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	ctx, cancel := context.WithTimeout(ctx, servePatience)
	defer cancel()
	conn, err := dial(ctx, "tcp", at.String())
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// dialNode connects to a process by its node's entrance.
func (e *Env) dialNode(ctx context.Context, network, address string) (net.Conn, error) {
	if e.Dial != nil {
		return e.Dial(ctx, network, address)
	}
	e.mu.Lock()
	if e.nodes == nil {
		e.nodes = &node.Clients{Keys: NodeKeys(e.Store), Role: func(s node.Set) certs.Pair { return s.Door }}
	}
	c := e.nodes
	e.mu.Unlock()
	return c.Dial(ctx, network, address)
}

// findPort waits for the port of the started web processes, and makes it the release's.
func (o *rollout) findPort(ctx context.Context, plan checks.Plan) error {
	port, err := checks.FindPort(ctx, plan, o.targets, observer{o.host}, o.session.Log)
	if err != nil || port == 0 || port == o.release.Port {
		return err
	}
	o.session.Log.Step("web listens on %d; routing there (PORT is %d: EXPOSE or ports:set would name another port)", port, o.release.Port)
	o.release.Port, o.release.Detected, o.release.PortFound = port, port, true
	for n := range o.targets {
		o.targets[n].Port = port
	}
	return nil
}
