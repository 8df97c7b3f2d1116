package app

import "fmt"

// PortMap maps a port of the host, where the proxy listens for the app's domains, to a
// port of the web processes.
type PortMap struct {
	Scheme string `json:"scheme"` // "http" or "https"
	Host   int    `json:"host_port"`
	// Container 0 stands for the port that the image exposes.
	Container int `json:"container_port"`
}

func (m PortMap) String() string { return fmt.Sprintf("%s:%d:%d", m.Scheme, m.Host, m.Container) }

// FirstHostPort is the first host port for apps without a proxy. Each app gets
// PortsPerApp ports, so that they are free when it scales up.
const (
	FirstHostPort = 20000
	PortsPerApp   = 100
)
