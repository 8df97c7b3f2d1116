package agent

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dokku/agent/proxy"
)

// URLs are the addresses at which the app's web processes can be reached.
func (s *Store) URLsOf(a View) []string {
	if a.State.ProxyDisabled {
		return []string{fmt.Sprintf("http://%s:%d", hostAddress(), a.State.HostPort)}
	}
	domains := a.Domains()
	if len(domains) == 0 {
		domains = []string{hostAddress()}
	}
	// Nobody has said which names lead here, so a name may not lead anywhere; the
	// address answers for the only app.
	if !a.State.DomainsDisabled && len(a.State.Domains) == 0 && len(a.Settings.Domains) == 0 && s.only(a.Name) {
		domains = append([]string{hostAddress()}, domains...)
	}
	var urls []string
	for _, d := range domains {
		for _, m := range a.Ports() {
			url := "http://" + d
			if m.Host != 80 {
				url += fmt.Sprintf(":%d", m.Host)
			}
			urls = append(urls, url)
		}
	}
	return urls
}

// only reports whether no other app is deployed behind the proxy.
func (s *Store) only(app string) bool {
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

// routeOf is what is published of a release, without its upstreams.
func routeOf(v View, r *Release) *proxy.Route {
	route := &proxy.Route{App: v.Name, Release: r.Number, Domains: v.Domains(), Ports: routePorts(v.State.Ports, r), Replaces: v.former()}
	route.Settings.ClientMaxBodySize = v.NginxProperty("client-max-body-size")
	route.Settings.ReadTimeout = seconds(v.NginxProperty("proxy-read-timeout"))
	route.Settings.SendTimeout = seconds(v.NginxProperty("proxy-send-timeout"))
	if dir := filepath.Join(v.Dir, "nginx.conf.d"); isDir(dir) {
		route.Settings.IncludeDir = dir
	}
	return route
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
