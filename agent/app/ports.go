package app

import "fmt"

// PortMap leads a port of the host, where the proxy listens for the app's
// names, to a port of the web processes.
type PortMap struct {
	Scheme string `json:"scheme"` // "http"
	Host   int    `json:"host_port"`
	// Container 0 stands for the port that the image exposes.
	Container int `json:"container_port"`
}

func (m PortMap) String() string { return fmt.Sprintf("%s:%d:%d", m.Scheme, m.Host, m.Container) }

// FirstHostPort is where host ports for apps without a proxy begin; each app
// has portsPerApp of them, so that scaling up finds its ports free.
const (
	FirstHostPort = 20000
	PortsPerApp   = 100
)
