package proxy

import (
	"context"
	"net/netip"
	"time"
)

// Route says under which names an app's web processes are reached. All fields
// that come from a user are validated by Stage and Publish.
type Route struct {
	App     string
	Release int
	// Domains are host names; "*.example.com" is allowed as in nginx.
	Domains []string
	// Upstreams are the web processes, in order. None: the app answers 502.
	Upstreams []netip.AddrPort
	// Ports says on which ports of the host the names are answered, and by which
	// port of the processes. None: the proxy's own port, by the upstreams' port.
	Ports    []Port `json:",omitempty"`
	Settings Settings
	// Replaces is an app whose route ends in the same step in which this one
	// begins: the app's former name. It is no part of what is live.
	Replaces string `json:"-"`
}

// Port is a port of the host at which the proxy listens for an app.
type Port struct {
	Host int
	// Container is the port of the processes; 0: the one that Upstreams have.
	Container int `json:",omitempty"`
}

// Settings of a route; a zero field means the default.
type Settings struct {
	ClientMaxBodySize string        // nginx size: "1m" (default), "0" for no limit
	ReadTimeout       time.Duration // between two reads of an answer; default 60 s
	SendTimeout       time.Duration // between two writes of a request; default 60 s
	// IncludeDir holds *.conf files of the admin's that are included in the
	// app's server block: <app repository>/nginx.conf.d
	IncludeDir string
}

// Proxy is what the web type is reached through. Every implementation passes
// the suite in proxytest. Methods are safe for concurrent use by several
// processes.
type Proxy interface {
	// Stage tests that the route could be published beside all live ones. It
	// changes nothing that serves.
	Stage(ctx context.Context, r Route) error
	// Publish makes the route live and returns once all new connections are
	// answered by it. Publishing what is live already does nothing. On error the
	// previous route is live.
	Publish(ctx context.Context, r Route) error
	// Withdraw removes the app's route. A missing one is not an error, nor is a
	// proxy that does not run: it will start without the route.
	Withdraw(ctx context.Context, app string) error
	// Live returns the route by which the proxy answers for the app now, whatever
	// an interrupted Publish meant to change: all of it, defaults filled in. While
	// the proxy does not run it is the one that the proxy will start with.
	Live(ctx context.Context, app string) (r Route, ok bool, err error)
}

// Examiner is a Proxy that can say what is wrong with it. The doctor asks it.
type Examiner interface {
	// Examine works while the proxy is down, and changes nothing that serves.
	Examine(ctx context.Context) Condition
}

// Condition is what Examine finds: nil errors and no rules mean that all is well.
type Condition struct {
	// Apps are those that the live files have, sorted.
	Apps []string
	// Down: nothing listens on nginx's port.
	Down error
	// Foreign: what listens does not serve our files. It cannot be told before the
	// first app is published.
	Foreign error
	// Behind: it serves older files than the live ones.
	Behind error
	// Files: the live files are not what was written there.
	Files error
	// Rules: Check or Reload cannot be run.
	Rules []error
	// Refused: nginx would not start with the present configuration.
	Refused error
}
