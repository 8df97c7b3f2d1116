package doors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dokku/agent/disk"
	"dokku/agent/proxy"
)

// A Served is the proxy of a front door's own host.
type Served interface {
	proxy.Proxy
	proxy.Lister
}

// A Door is a front door as its own host sees it.
type Door struct {
	// Dir is a folder of its own, with the files of requests and the admins' nginx files.
	Dir string
	// Logs is the folder of the logs of this host's nginx.
	Logs string
	// Port and TLSPort are where this host's nginx listens.
	Port, TLSPort int
	Disk          disk.Disk
	Version       string
	// Clock is this host's; nil: time.Now.
	Clock func() time.Time
	// Proxy returns this host's proxy with some settings of the other server.
	Proxy func(Settings) Served
}

// leftover is how old the files of a request are when nobody works with them any more.
const leftover = time.Hour

// Serve answers one request. The error is that of the connection; what the request asked for
// fails in the answer.
func (d *Door) Serve(ctx context.Context, in io.Reader, out io.Writer) error {
	answer := response{Protocol: Protocol, Version: d.Version}
	var r request
	protocol, err := read(in, maxRequest, &r)
	switch {
	case err != nil:
		answer.Error = "cannot read the request: " + err.Error()
	case protocol != Protocol:
		answer.Error = otherProtocol("the server", protocol)
	default:
		if err := d.carryOut(ctx, r, &answer); err != nil {
			answer.Error = err.Error()
		}
	}
	clock := d.Clock
	if clock == nil {
		clock = time.Now
	}
	answer.Time = clock()
	return json.NewEncoder(out).Encode(answer)
}

func otherProtocol(who string, theirs int) string {
	return fmt.Sprintf("%s speaks version %d of the protocol of front doors, not %d: update both servers to the same version of dokku", who, theirs, Protocol)
}

func (d *Door) carryOut(ctx context.Context, r request, answer *response) error {
	px := d.Proxy(r.Settings)
	switch r.Op {
	case opStage, opPublish:
		return d.route(ctx, px, r, answer)
	case opWithdraw:
		if err := px.Withdraw(ctx, r.App); err != nil {
			return err
		}
		d.Disk.RemoveAll(d.includeDir(r.App))
		return nil
	case opRefresh:
		return px.Refresh(ctx)
	case opStatus:
		return d.status(ctx, px, r.Examine, answer)
	}
	return fmt.Errorf("a front door knows no %.80q", r.Op)
}

// route stages or publishes the route of a request. A kill leaves files that the next
// request removes, and at worst a route that nobody acknowledged.
func (d *Door) route(ctx context.Context, px Served, r request, answer *response) error {
	if r.Route == nil {
		return errors.New("the request has no route")
	}
	route := local(*r.Route, r.Settings, d.Port, d.TLSPort)
	route.Replaces = r.Replaces
	if route.Auth != nil {
		auth := *route.Auth
		auth.Users = r.Users
		route.Auth = &auth
	}
	if route.Onward {
		if !r.Settings.Back.IsValid() {
			return errors.New("the request does not say where the server is")
		}
		route.Upstreams = []netip.AddrPort{netip.AddrPortFrom(r.Settings.Back, uint16(r.Settings.Port))}
	}
	if _, err := route.Checked(); err != nil {
		return err
	}
	if err := checkFiles(route, r.Files); err != nil {
		return err
	}
	done, err := d.unpack(&route, r.Files)
	defer done()
	if err != nil {
		return fmt.Errorf("cannot write the files of %s: %w", route.App, err)
	}
	d.ownLogs(&route)
	if r.Op == opStage {
		return px.Stage(ctx, route)
	}
	if err := px.Publish(ctx, route); err != nil {
		return err
	}
	d.sweepIncludes(route)
	live, ok, err := px.Live(ctx, route.App)
	if err == nil && !ok {
		err = fmt.Errorf("the route of %s is gone already", route.App)
	}
	answer.Token = token(live)
	return err
}

// ownLogs makes the logs of a route files of this host.
func (d *Door) ownLogs(r *proxy.Route) {
	r.Settings.Properties = maps.Clone(r.Settings.Properties)
	for _, name := range []string{proxy.AccessLogPath, proxy.ErrorLogPath} {
		if path := r.Settings.Properties[name]; path != "" && path != proxy.Off {
			r.Settings.Properties[name] = filepath.Join(d.Logs, filepath.Base(path))
		}
	}
}

func (d *Door) includeDir(app string, elem ...string) string {
	return filepath.Join(append([]string{d.Dir, "includes", app}, elem...)...)
}

// unpack writes the files of a route, and puts their folders into it. done removes what the
// proxy copies; an admin's files stay, since nginx includes them where they are.
func (d *Door) unpack(r *proxy.Route, list []file) (done func(), err error) {
	done = func() {}
	if err := d.Disk.MkdirAll(d.Dir, 0o700); err != nil {
		return done, err
	}
	d.sweep()
	dir, err := os.MkdirTemp(d.Dir, "in-")
	if err != nil {
		return done, err
	}
	done = func() { os.RemoveAll(dir) }
	own := map[string][]byte{}
	for _, f := range list {
		if f.Of == kindInclude {
			own[f.Name] = f.Data
			continue
		}
		path := filepath.Join(dir, string(f.Of), f.ID, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return done, err
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			return done, err
		}
	}
	for _, c := range r.Pairs() {
		c.Dir = filepath.Join(dir, string(kindCertificate), c.ID)
	}
	if m := r.Maintenance; m != nil && m.Page.ID != "" {
		page := *m
		page.Page.Dir = filepath.Join(dir, string(kindPage), m.Page.ID)
		r.Maintenance = &page
	}
	if r.Settings.IncludeDir = ""; len(own) == 0 {
		return done, nil
	}
	to := d.includeDir(r.App, digest(own))
	r.Settings.IncludeDir = to
	if _, err := os.Stat(to); err == nil {
		return done, nil
	}
	if err := d.Disk.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return done, err
	}
	return done, d.Disk.Tree(to, own, 0o700, 0o600)
}

// sweep removes the files of requests that were cut off.
func (d *Door) sweep() {
	found, _ := filepath.Glob(filepath.Join(d.Dir, "in-*"))
	for _, dir := range found {
		if fi, err := os.Stat(dir); err == nil && time.Since(fi.ModTime()) > leftover {
			os.RemoveAll(dir)
		}
	}
}

// sweepIncludes removes an admin's files that the live route of an app does not name.
func (d *Door) sweepIncludes(r proxy.Route) {
	for _, app := range []string{r.App, r.Replaces} {
		if app == "" {
			continue
		}
		entries, err := os.ReadDir(d.includeDir(app))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		for _, e := range entries {
			if path := d.includeDir(app, e.Name()); path != r.Settings.IncludeDir {
				d.Disk.RemoveAll(path)
			}
		}
	}
}

func (d *Door) status(ctx context.Context, px Served, examine bool, answer *response) error {
	live, err := px.Routes(ctx)
	if err != nil {
		return err
	}
	answer.Routes = map[string]string{}
	for _, r := range live {
		answer.Routes[r.App] = token(r)
	}
	if e, ok := px.(proxy.Examiner); ok && examine {
		c := e.Examine(ctx)
		for _, err := range append([]error{c.Down, c.Foreign, c.Behind, c.Files, c.Refused}, c.Rules...) {
			if err != nil {
				answer.Troubles = append(answer.Troubles, strings.TrimSpace(err.Error()))
			}
		}
	}
	return nil
}
