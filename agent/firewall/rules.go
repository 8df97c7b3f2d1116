package firewall

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Rules say what the containers on some bridges may reach.
type Rules struct {
	// Web are TCP ports of the host that all containers reach: nginx's, and those of apps.
	Web []uint16 `json:"web"`
	// Bridges are those whose containers are filtered.
	Bridges []Bridge `json:"bridges"`
	// Engine are the interfaces of the engine's networks, which filtered containers do not reach
	// from another one.
	Engine []string `json:"engine,omitempty"`
}

// Bridge is the interface of a network whose containers are filtered.
type Bridge struct {
	Name string `json:"name"`
	// Except are the addresses on it that are not filtered.
	Except []netip.Addr `json:"except,omitempty"`
	Open   []Opening    `json:"open,omitempty"`
}

// Opening is more that some containers of a bridge reach.
type Opening struct {
	// From is the container; the zero value: all of the bridge. IPv4 only.
	From  netip.Addr `json:"from,omitzero"`
	Ports []Port     `json:"ports,omitempty"` // of the host
	// Metadata opens the metadata service of a cloud.
	Metadata bool `json:"metadata,omitempty"`
}

// Port is a port of the host.
type Port struct {
	Number uint16
	UDP    bool
}

// maxPorts is how many ports a list may have.
const maxPorts = 64

// ParsePort parses "5432" and "8125/udp".
func ParsePort(s string) (Port, error) {
	number, kind, named := strings.Cut(s, "/")
	n, err := strconv.ParseUint(number, 10, 16)
	if err != nil || n == 0 || named && kind != "udp" && kind != "tcp" {
		return Port{}, fmt.Errorf("%q is not a port from 1 to 65535, such as 5432 or 8125/udp", s)
	}
	return Port{uint16(n), kind == "udp"}, nil
}

// ParsePorts parses a list of ports, separated by commas.
func ParsePorts(list string) (ports []Port, err error) {
	for word := range strings.SplitSeq(list, ",") {
		p, err := ParsePort(strings.TrimSpace(word))
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	if len(ports) > maxPorts {
		return nil, fmt.Errorf("%d ports are more than %d", len(ports), maxPorts)
	}
	return ports, nil
}

// String returns the port as ParsePort reads it.
func (p Port) String() string {
	if p.UDP {
		return strconv.Itoa(int(p.Number)) + "/udp"
	}
	return strconv.Itoa(int(p.Number))
}

func (p Port) protocol() string {
	if p.UDP {
		return "udp"
	}
	return "tcp"
}

// MarshalText implements encoding.TextMarshaler.
func (p Port) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Port) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePort(string(text))
	return err
}

// request is what the agent asks of root's part.
type request struct {
	Do    string `json:"do"` // "apply" or "check"
	Rules Rules  `json:"rules"`
}

// The values of request.Do.
const (
	doApply = "apply"
	doCheck = "check"
)

// maxRequest is the size of a request in bytes: some 10,000 apps.
const maxRequest = 8 << 20

// interfaceName is an interface that an engine can have made. Nothing in it means something to
// nft or iptables, whose own sign for more names is "+" or "*".
var interfaceName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,14}$`)

func readRequest(in io.Reader) (r request, err error) {
	data, err := io.ReadAll(io.LimitReader(in, maxRequest+1))
	if err != nil {
		return r, err
	}
	if len(data) > maxRequest {
		return r, fmt.Errorf("the request has more than %d bytes", maxRequest)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return r, fmt.Errorf("cannot read the request: %w", err)
	}
	if d.More() {
		return r, fmt.Errorf("cannot read the request: more follows it")
	}
	if r.Do != doApply && r.Do != doCheck {
		return r, fmt.Errorf("%q is neither %s nor %s", r.Do, doApply, doCheck)
	}
	return r, r.Rules.check(devices)
}

// devices is where the kernel lists the interfaces.
const devices = "/sys/class/net"

// check returns an error unless each part of the rules has the form that rules of a firewall
// can be made of.
func (r Rules) check(devices string) error {
	for _, p := range r.Web {
		if p == 0 {
			return fmt.Errorf("0 is not a port")
		}
	}
	seen := map[string]bool{}
	for _, b := range r.Bridges {
		if err := bridge(b.Name, devices); err != nil {
			return err
		}
		if seen[b.Name] {
			return fmt.Errorf("%s is given twice", b.Name)
		}
		seen[b.Name] = true
		for _, a := range b.Except {
			if !a.IsValid() || a.Zone() != "" || a.Is4In6() {
				return fmt.Errorf("%q is not an address", a)
			}
		}
		for _, o := range b.Open {
			if o.From.IsValid() && !o.From.Is4() {
				return fmt.Errorf("%q is not an address of IPv4", o.From)
			}
			for _, p := range o.Ports {
				if p.Number == 0 {
					return fmt.Errorf("0 is not a port")
				}
			}
		}
	}
	for _, name := range r.Engine {
		if !interfaceName.MatchString(name) {
			return fmt.Errorf("%q is not the name of an interface", name)
		}
	}
	return nil
}

// bridge returns an error if a name cannot be that of a bridge. One that is not there yet is
// made later.
func bridge(name, devices string) error {
	if !interfaceName.MatchString(name) {
		return fmt.Errorf("%q is not the name of a bridge", name)
	}
	if _, err := os.Stat(filepath.Join(devices, name)); err != nil {
		return nil
	}
	if _, err := os.Stat(filepath.Join(devices, name, "bridge")); err != nil {
		return fmt.Errorf("%s is not a bridge", name)
	}
	return nil
}
