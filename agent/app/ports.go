package app

import (
	"fmt"
	"slices"
)

// PortMap maps a port of the host, where the proxy listens for the app's domains, to a
// port of the web processes.
type PortMap struct {
	Scheme string `json:"scheme"` // "http" or "https"
	Host   int    `json:"host_port"`
	// Container 0 stands for the port that the image exposes.
	Container int `json:"container_port"`
}

func (m PortMap) String() string { return fmt.Sprintf("%s:%d:%d", m.Scheme, m.Host, m.Container) }

// The property of ports:set --global, and the value that maps EXPOSE 3000 as http:3000:3000.
// By default it is http:80:3000.
const (
	ExposeMapping = "expose-mapping"
	ExposeAsDokku = "dokku"
)

// FirstHostPort is the first host port for apps without a proxy. Each app gets
// PortsPerApp ports, so that they are free when it scales up.
const (
	FirstHostPort = 20000
	PortsPerApp   = 100
)

// ServeTLS maps the host's port for TLS too where mappings of its own have the main port for
// plain HTTP, as Dokku does for a certificate.
func (st *State) ServeTLS(n NginxSettings) {
	if slices.ContainsFunc(st.Ports, func(m PortMap) bool { return m.Host == n.Port }) {
		st.AddPort("https", n.TLSPort)
	}
}

// AddPort maps a port of the host to the app's web port, in mappings of its own. Without
// any, the default ones do. A port that is mapped stays as it is.
func (st *State) AddPort(scheme string, host int) {
	if len(st.Ports) == 0 || slices.ContainsFunc(st.Ports, func(m PortMap) bool { return m.Host == host || m.Scheme == scheme && scheme == "https" }) {
		return
	}
	st.Ports = append(slices.Clone(st.Ports), PortMap{Scheme: scheme, Host: host, Container: st.Ports[0].Container})
	slices.SortFunc(st.Ports, func(a, b PortMap) int { return a.Host - b.Host })
}
