package proxy

import (
	"context"
	"net/netip"
)

// Route is how an app's web processes are reached. Stage and Publish validate all
// fields that come from a user.
type Route struct {
	App     string
	Release int
	// Domains are host names; "*.example.com" is allowed as in nginx, and CatchAll.
	Domains []string
	// Upstreams are the web processes, in order. None: the app answers 503, with a page
	// that says so.
	Upstreams []netip.AddrPort
	// Stopped: there is no process because the app was stopped. The page says that.
	Stopped bool `json:",omitempty"`
	// Ports maps ports of the host, on which the names are answered, to ports of the
	// processes. None: the proxy's own port, to the upstreams' port.
	Ports []Port `json:",omitempty"`
	// Certificates are those by which some of Domains are reached over TLS. Their names
	// are on the port for TLS too, unless Ports says otherwise, and plain requests for
	// them on the proxy's own port are redirected to it.
	Certificates []Certificate `json:",omitempty"`
	// Challenge is the thumbprint of an ACME account's key (RFC 7638, in base64url). The
	// proxy answers the HTTP-01 challenges of that account (RFC 8555, 8.3) for all names,
	// whatever the app, its settings and the admin's files do. "": it answers none.
	Challenge string `json:",omitempty"`
	// Redirects, Maintenance and Auth come before the processes, in this order: nil or none
	// for nothing. The answers to challenges come before all of them.
	Maintenance *Maintenance `json:",omitempty"`
	Redirects   []Redirect   `json:",omitempty"`
	Auth        *Auth        `json:",omitempty"`
	Settings    Settings
	// Elsewhere: the upstreams are on machines that may stop answering without a word. Other
	// servers reach them too, so a front door passes requests straight to them.
	Elsewhere bool `json:",omitempty"`
	// Entrance: the upstreams speak TLS, and take a client with this certificate alone. Its
	// chain ends with the authority that has signed theirs, for EntranceName. nil: they do not.
	Entrance *Certificate `json:",omitempty"`
	// Onward: the upstreams are a proxy that has the same names. It gets each request on the
	// port of Ports' Container, over TLS if the visitor's came so.
	Onward bool `json:",omitempty"`
	// Replaces is an app whose route ends in the step in which this one begins: the
	// app's former name. Live never returns it.
	Replaces string `json:"-"`
	// Outdated: Publish would write the route in another way than it is live, after an
	// update or a change of the proxy's own settings. Only Live sets it.
	Outdated bool `json:"-"`
}

// Port is a port of the host at which the proxy listens for an app.
type Port struct {
	Host int
	// Container is the port of the processes; 0: the port in Upstreams.
	Container int `json:",omitempty"`
	// TLS: only the names in Certificates are answered, over TLS.
	TLS bool `json:",omitempty"`
}

// Certificate is a certificate with its chain and key.
type Certificate struct {
	// ID tells it from all others. It becomes a part of file names.
	ID string
	// Dir holds CertificateFile and KeyFile. The proxy makes a copy, which lives as long
	// as a route needs it; after that Dir may be gone.
	Dir string `json:"-"`
	// Domains are the names that it serves.
	Domains []string
	// Responder is the URL where the proxy asks whether it is revoked, to staple the answer
	// to handshakes (OCSP); see certs.Pair.Responder. "": it does not.
	Responder string `json:",omitempty"`
}

// EntranceName is the name in the certificates of upstreams with an Entrance.
const EntranceName = "node.dokku"

// The files of a Certificate, in PEM.
const (
	CertificateFile = "server.crt"
	KeyFile         = "server.key"
)

// Proxy passes requests from outside to an app's web processes. Every
// implementation passes the suite in proxytest. Methods are safe for concurrent
// use by several processes.
type Proxy interface {
	// Stage tests that the route could be published beside all live ones. It changes
	// no live route.
	Stage(ctx context.Context, r Route) error
	// Publish makes the route live and returns once it answers all new connections.
	// Publishing a route that is live already does nothing. On error the previous
	// route is live.
	Publish(ctx context.Context, r Route) error
	// Withdraw removes the app's route. A missing route is not an error, nor is a
	// proxy that does not run: it will start without the route.
	Withdraw(ctx context.Context, app string) error
	// Live returns the route by which the proxy answers for the app now, with all
	// defaults filled in. A Publish that was interrupted does not count. While the
	// proxy does not run, Live returns the route that it will start with.
	Live(ctx context.Context, app string) (r Route, ok bool, err error)
	// Refresh makes the proxy's own settings take effect, in all routes in one step. On
	// error the previous ones are in effect. A proxy that does not run is not an error.
	Refresh(ctx context.Context) error
}

// Lister is a Proxy that can name all of its routes.
type Lister interface {
	// Routes returns the routes that Live returns, sorted by app.
	Routes(ctx context.Context) ([]Route, error)
}

// Inspector is a Proxy that people can look into.
type Inspector interface {
	// Configuration returns the text by which the proxy serves an app; ok is false if it
	// does not serve the app.
	Configuration(ctx context.Context, app string) (text string, ok bool, err error)
	// Validate has the proxy test the live configuration. The error is the proxy's.
	Validate(ctx context.Context) error
}

// Examiner is a Proxy that can say what is wrong with it. The doctor asks it.
type Examiner interface {
	// Examine works while the proxy is down, and changes no route.
	Examine(ctx context.Context) Condition
}

// Distant is a Proxy of which a part is on other servers.
type Distant interface {
	// Reach returns an error if a server does not answer without which no change of a route
	// would succeed, and a note about each that is left out.
	Reach(ctx context.Context) (notes []string, err error)
}

// Condition is the result of Examine. All is well if the errors are nil and there
// are no Rules.
type Condition struct {
	// Apps are the apps in the live files, sorted.
	Apps []string
	// Down: nothing listens on the proxy's port.
	Down error
	// Foreign: the server on that port does not serve our files. Examine cannot tell
	// before the first app is published.
	Foreign error
	// Behind: it serves older files than the live ones.
	Behind error
	// Files: the live files are missing or damaged.
	Files error
	// Rules: the agent may not run a command that publishing needs.
	Rules []error
	// Refused: the proxy would not start with the present configuration.
	Refused error
	// Few: so few connections are allowed that one visitor can take all of them.
	Few error
}
