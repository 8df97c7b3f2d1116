package node

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// ahead is for how many of the engine's next numbers the ports of processes are reserved: so
	// many may begin on a node within a minute.
	ahead = 128
	// rangeFile has the range from which the kernel takes the ports of connections. The engine
	// takes those that it publishes from the same one.
	rangeFile = "/proc/sys/net/ipv4/ip_local_port_range"
)

// reserving is where ports are reserved: an address at which nobody has connections or
// servers, and which Docker does not publish at.
var reserving = netip.MustParseAddr("127.0.0.47")

// A reserve keeps the kernel from taking ports for connections.
type reserve struct{ sockets map[int]int } // by ports

// keep reserves these ports and gives the others back. A port that another program serves at all
// addresses stays its own.
func (r *reserve) keep(ports map[int]bool) {
	for port, fd := range r.sockets {
		if !ports[port] {
			unix.Close(fd)
			delete(r.sockets, port)
		}
	}
	for port := range ports {
		if _, kept := r.sockets[port]; kept {
			continue
		}
		if fd, err := occupy(port); err == nil {
			if r.sockets == nil {
				r.sockets = map[int]int{}
			}
			r.sockets[port] = fd
		}
	}
}

// occupy binds a socket to a port, and does not listen. The kernel takes no port for a
// connection to which a socket is bound explicitly, at whatever address, not even if it was the
// port of connections before: see inet_csk_update_fastreuse and __inet_hash_connect.
func occupy(port int) (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return 0, err
	}
	// Its successor reserves the same port before it ends.
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: reserving.As4()})
	}
	if err != nil {
		unix.Close(fd)
	}
	return fd, err
}

// kernelPorts is a range from which the kernel takes ports.
type kernelPorts struct{ low, high int }

// localPorts reads the range of this network namespace.
func localPorts() kernelPorts {
	k := kernelPorts{32768, 60999}
	if text, err := os.ReadFile(rangeFile); err == nil {
		_, _ = fmt.Sscan(string(text), &k.low, &k.high)
	}
	return k
}

// taken reports whether the kernel takes a port for connections before it has used half of its
// range: those with the parity of the first one. The others are for servers.
func (k kernelPorts) taken(port int) bool {
	return port >= k.low && port <= k.high && port%2 == k.low%2
}

// coming are the ports at which the next processes of this node will be served, as far as
// connections take them. The engine counts up from the port that it has published last (0: none
// yet), and begins anew at the end of the range.
func (k kernelPorts) coming(last int) map[int]bool {
	ports := map[int]bool{}
	if last < k.low || last > k.high {
		last = k.high
	}
	for range ahead {
		if last++; last > k.high {
			last = k.low
		}
		if port := Port(last); k.taken(port) {
			ports[port] = true
		}
	}
	return ports
}

// published is a port that the engine has published, and when it made the container.
type published struct {
	made int64 // in seconds since 1970
	port int
}

// or returns the later one.
func (p published) or(o published) published {
	if o.made > p.made || o.made == p.made && o.port > p.port {
		return o
	}
	return p
}
