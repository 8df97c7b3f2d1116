package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dokku/agent/proxy"
)

// Domains are the host names that the app answers to: its own, or one below
// each global domain, or one below the server's name. Where they are
// disabled there are none.
func (s *Server) Domains(a *App) ([]string, error) {
	if a.State.DomainsDisabled {
		return nil, nil
	}
	if len(a.State.Domains) > 0 {
		return slices.Clone(a.State.Domains), nil
	}
	set, err := s.Settings()
	if err != nil {
		return nil, err
	}
	var list []string
	for _, d := range set.Domains {
		list = append(list, a.Name+"."+d)
	}
	if len(list) == 0 {
		list = []string{a.Name + "." + hostName()}
	}
	return list, nil
}

// URLs are the addresses at which the app's web processes can be reached.
func (s *Server) URLs(a *App) ([]string, error) {
	if a.State.ProxyDisabled {
		return []string{fmt.Sprintf("http://%s:%d", hostAddress(), a.State.HostPort)}, nil
	}
	set, err := s.Settings()
	if err != nil {
		return nil, err
	}
	domains, err := s.Domains(a)
	if err != nil {
		return nil, err
	}
	if len(domains) == 0 {
		domains = []string{hostAddress()}
	}
	ports, err := s.Ports(a)
	if err != nil {
		return nil, err
	}
	// Nobody has said which names lead here, so a name may not lead anywhere; the
	// address answers for the only app.
	if !a.State.DomainsDisabled && len(a.State.Domains) == 0 && len(set.Domains) == 0 && s.only(a.Name) {
		domains = append([]string{hostAddress()}, domains...)
	}
	var urls []string
	for _, d := range domains {
		for _, m := range ports {
			url := "http://" + d
			if m.Host != 80 {
				url += fmt.Sprintf(":%d", m.Host)
			}
			urls = append(urls, url)
		}
	}
	return urls, nil
}

// only reports whether no other app is deployed behind the proxy.
func (s *Server) only(app string) bool {
	apps, err := s.Apps()
	if err != nil {
		return false
	}
	for _, name := range apps {
		if o, err := s.Load(name); name != app && err == nil && o.Deployed() && !o.State.ProxyDisabled {
			return false
		}
	}
	return true
}

func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return strings.ToLower(name)
}

// hostAddress is the address by which other machines most likely know this one:
// the one from which it would speak to the outside. Nothing is sent.
func hostAddress() string {
	c, err := net.Dial("udp", "192.0.2.1:9")
	if err != nil {
		return "127.0.0.1"
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).IP.String()
}

// route is what is published of a release, without its upstreams.
func (x *session) route(r *Release) (*proxy.Route, error) {
	domains, err := x.Domains(x.App)
	if err != nil {
		return nil, err
	}
	route := &proxy.Route{App: x.Name, Release: r.Number, Domains: domains, Ports: x.State.routePorts(r), Replaces: x.former()}
	property := func(name string) string {
		if v := x.State.Nginx[name]; v != "" {
			return v
		}
		return x.set.Nginx.Properties[name]
	}
	route.Settings.ClientMaxBodySize = property("client-max-body-size")
	route.Settings.ReadTimeout = seconds(property("proxy-read-timeout"))
	route.Settings.SendTimeout = seconds(property("proxy-send-timeout"))
	if dir := filepath.Join(x.Dir, "nginx.conf.d"); isDir(dir) {
		route.Settings.IncludeDir = dir
	}
	return route, nil
}

// seconds reads a duration as nginx writes it, "60s" or "60"; 0 when it is empty.
func seconds(v string) time.Duration {
	if d, err := time.ParseDuration(v); err == nil {
		return d
	}
	d, _ := time.ParseDuration(v + "s")
	return d
}

func isDir(path string) bool {
	fi, err := os.Stat(path)
	return err == nil && fi.IsDir()
}

// firstHostPort is where host ports for apps without a proxy begin; each app
// has portsPerApp of them, so that scaling up finds its ports free.
const (
	firstHostPort = 20000
	portsPerApp   = 100
)

// allotPort gives the app a range of host ports that no other app has. The
// caller holds the lock of the server's settings.
func (s *Server) allotPort(ctx context.Context, app string) (int, error) {
	apps, err := s.Apps()
	if err != nil {
		return 0, err
	}
	taken := map[int]bool{}
	for _, name := range apps {
		a, err := s.Load(name)
		if err != nil {
			return 0, err
		}
		taken[a.State.HostPort] = true
		for _, m := range a.State.Ports {
			taken[m.Host-(m.Host-firstHostPort)%portsPerApp] = true
		}
	}
	for p := firstHostPort; p+portsPerApp <= 32768; p += portsPerApp {
		if !taken[p] && portFree(ctx, p) {
			return p, nil
		}
	}
	return 0, fmt.Errorf("cannot give %s a host port: all of %d-32767 are taken", app, firstHostPort)
}

func portFree(ctx context.Context, port int) bool {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
