package remote

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jdx/go-netrc"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// dialTime bounds a connection's start.
const dialTime = 30 * time.Second

// Hosts are the servers that an administrator allowed: those of git:allow-host, and those
// with a password (git:auth). Their files are below Home.
type Hosts struct{ Home string }

// entitled reports whether a host's password may go to an address that a pusher chose: by https, where the
// host proves its name, or to one of http that an administrator named with its port (git:auth). At another
// port of the host there may be a program of the pusher's, such as an app on this server.
func (h Hosts) entitled(u *url.URL) (bool, error) {
	if u.Scheme == schemeHTTPS {
		return true, nil
	}
	_, _, ok, err := h.Login(origin(u))
	return ok, err
}

// stored is the word of git:auth for the host of an address.
func stored(u *url.URL) string {
	if u.Scheme == schemeHTTP {
		return schemeHTTP + "://" + u.Host
	}
	return u.Hostname()
}

// origin is the scheme, the host and the port of an address.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{schemeHTTPS: "443", schemeHTTP: "80"}[u.Scheme]
	}
	return strings.ToLower(u.Scheme + "://" + net.JoinHostPort(u.Hostname(), port))
}

// Machines are the names of the entries of .netrc for a word of git:auth: a host, or http://HOST:PORT. The
// second name says that the host's password may go there by http, which no program but this one reads.
func Machines(word string) []string {
	u, err := url.Parse(word)
	if err != nil || u.Scheme != schemeHTTP || u.Host == "" || u.User != nil || u.RequestURI() != "/" {
		return []string{word}
	}
	return []string{u.Hostname(), origin(u)}
}

// Login returns the user and the password for a host without its port, or for an origin (see Machines).
func (h Hosts) Login(host string) (user, password string, ok bool, err error) {
	path := filepath.Join(h.Home, ".netrc")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", false, nil
	}
	var n *netrc.Netrc
	if err == nil {
		n, err = netrc.ParseString(string(data))
	}
	if err != nil {
		return "", "", false, fmt.Errorf("cannot read %s: %w", path, err)
	}
	m := n.Machine(host)
	if m == nil {
		return "", "", false, nil
	}
	return m.Get("login"), m.Get("password"), true, nil
}

// unknownKey is a key that no host has: it asks for the keys that a host should have.
var unknownKey, _ = ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))

// Trusts reports whether the ssh key of a host, with or without a port, is known.
func (h Hosts) Trusts(host string) (bool, error) {
	path := filepath.Join(h.Home, ".ssh", "known_hosts")
	check, err := knownhosts.New(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", path, err)
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(unbracketed(host), "22")
	}
	var other *knownhosts.KeyError
	err = check(host, &net.TCPAddr{IP: net.IPv4zero, Port: 22}, unknownKey)
	return errors.As(err, &other) && len(other.Want) > 0, nil
}

// Allowed reports whether an administrator allowed a host, with or without a port, in
// either way.
func (h Hosts) Allowed(host string) (bool, error) {
	name := hostname(host)
	_, _, ok, err := h.Login(name)
	if ok || err != nil {
		return ok, err
	}
	if ok, err := h.Trusts(name); ok || err != nil {
		return ok, err
	}
	return h.Trusts(host)
}

// hostname is a host without its port and without brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return unbracketed(host)
}

func unbracketed(host string) string {
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		return host[1 : n-1]
	}
	return host
}

// A privateError says that a host's address is none of the public internet.
type privateError struct{ address netip.Addr }

func (e *privateError) Error() string {
	return fmt.Sprintf("its address %s is not one of the public internet", e.address)
}

// NotPublic tells this error from others.
func (e *privateError) NotPublic() {}

// Dial connects to an address. One that no administrator allowed has to be of the public
// internet: else whoever pushes could reach what only this server reaches. The address is
// looked at when it is dialled, so that a name which changes its meaning gains nothing.
func (h Hosts) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	ok, err := h.Allowed(address)
	if err != nil {
		return nil, err
	}
	if ok {
		return (&net.Dialer{Timeout: dialTime}).DialContext(ctx, network, address)
	}
	return DialPublic(ctx, network, address)
}

// DialPublic connects to an address of the public internet, and to no other.
func DialPublic(ctx context.Context, network, address string) (net.Conn, error) {
	own := ownAddresses()
	d := net.Dialer{Timeout: dialTime, Control: func(_, address string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if ip := a.Addr().Unmap().WithZone(""); !Public(ip) || slices.Contains(own, ip) {
			return &privateError{ip}
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

// notPublic are the ranges that netip's predicates leave out: those that IANA's registries of
// special addresses (RFC 6890) do not call globally reachable, and those that have addresses
// of other ranges in them, which may be private ones.
var notPublic = prefixes(
	// "This network", carriers' translation, protocol assignments, documentation, a relay that
	// is no more, benchmarks, documentation, reserved.
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	// Discard-only and dummies, protocol assignments with benchmarks and ORCHID, documentation,
	// segment routing, site-local.
	"100::/64", "100:0:0:1::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
	// Compatible with IPv4, translated, 6to4; Teredo is in 2001::/23.
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16",
)

func prefixes(list ...string) (p []netip.Prefix) {
	for _, text := range list {
		p = append(p, netip.MustParsePrefix(text))
	}
	return p
}

// Public reports whether an address is one of the public internet.
func Public(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// ownAddresses are the server's: a firewall may guard them against others only.
func ownAddresses() (list []netip.Addr) {
	found, _ := net.InterfaceAddrs()
	for _, a := range found {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			list = append(list, p.Addr().Unmap())
		}
	}
	return list
}
