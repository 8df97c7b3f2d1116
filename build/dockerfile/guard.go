package dockerfile

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildkit"
)

// labelApp is the label that says whose image it is.
const labelApp = "com.dokku.app-name"

// maxResolve is how long a host's name may take to be resolved.
const maxResolve = 2 * time.Second

// A guard refuses what a Dockerfile may not use on this server. The engine does what a Dockerfile
// says with its own rights, and from its own place in the network: it has the images of all
// apps, and reaches what listens on the host's loopback alone.
type guard struct {
	request build.Request
	name    string // of the Dockerfile
}

// refuse returns the error about one use.
func (g guard) refuse(u use, format string, args ...any) error {
	reason := fmt.Sprintf("%s:%d: %q ", g.name, u.line, u.text) + fmt.Sprintf(format, args...)
	return &build.FileError{File: g.name, Line: u.line, Err: &build.Error{Commit: g.request.Commit.Short, Reason: reason}}
}

// files checks what the file alone tells.
func (g guard) files(uses []use) error {
	for _, u := range uses {
		if g.request.Foreign != nil && u.image != "" {
			if owner := g.request.Foreign(u.image); owner != "" && !slices.Contains(g.request.AllowedFrom, owner) {
				return g.foreign(u, owner)
			}
		}
		if g.chosen(u) {
			continue
		}
		if u.host != "" && !g.allows(u.host) && isLocalName(bare(u.host)) {
			return g.local(u)
		}
	}
	return nil
}

// chosen reports whether somebody with the right to it has named the image (git:from-image):
// then nobody asks whose it is.
func (g guard) chosen(u use) bool {
	return u.image != "" && g.request.Foreign == nil && !g.request.FilesOnly
}

func (g guard) foreign(u use, owner string) error {
	return g.refuse(u, "is an image of the app %s, which %s may not use; to allow it, on the server: dokku builder:allow-from %[2]s %[1]s", owner, g.request.App)
}

func (g guard) local(u use) error {
	return g.refuse(u, "has the engine ask %s, an address of this server alone; to allow it, on the server: dokku builder-dockerfile:set --global allowed-hosts %[1]s", u.host)
}

// allows reports whether the server lets builds ask a host. One without a port stands for all of
// its ports.
func (g guard) allows(host string) bool {
	return allowedHost(host, g.request.AllowedHosts)
}

func allowedHost(host string, list []string) bool {
	for _, allowed := range list {
		if strings.EqualFold(allowed, host) || strings.EqualFold(allowed, bare(host)) {
			return true
		}
	}
	return false
}

// engine checks what only the engine and the network tell.
func (g guard) engine(ctx context.Context, cli *client.Client, uses []use) error {
	for _, u := range uses {
		if g.chosen(u) {
			continue
		}
		if u.image != "" {
			if err := g.owned(ctx, cli, u); err != nil {
				return err
			}
			if err := g.entitled(ctx, cli, u); err != nil {
				return err
			}
		}
		if u.host != "" && !g.allows(u.host) && resolvesHere(ctx, bare(u.host)) {
			return g.local(u)
		}
		if !u.subpath {
			continue
		}
		v, err := cli.ServerVersion(ctx)
		if err == nil && buildkit.Unsafe(v.Version) {
			return g.refuse(u, "is refused by this server, since its Docker %s lets such a step reach the files of the host (CVE-2024-23651): leave out source=, or have Docker updated (%s)", v.Version, buildkit.Safe)
		}
	}
	return nil
}

// owned refuses an image that the engine has for another app under any name. An engine that
// does not answer will not build either.
func (g guard) owned(ctx context.Context, cli *client.Client, u use) error {
	image, err := cli.ImageInspect(ctx, u.image)
	if err != nil || image.Config == nil {
		return nil
	}
	owner := image.Config.Labels[labelApp]
	if owner == "" || owner == g.request.App || slices.Contains(g.request.AllowedFrom, owner) {
		return nil
	}
	return g.foreign(u, owner)
}

// bare is a host without its port.
func bare(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return strings.Trim(host, "[]")
}

// isLocalName reports whether a name or an address can only mean this host or its own network.
// Some resolvers take 127.1, 0x7f000001 and 2130706433 for an address too.
func isLocalName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasPrefix(host, "ip6-") {
		return true
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return isLocal(addr)
	}
	last := host[strings.LastIndex(host, ".")+1:]
	return last != "" && (strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x"))
}

// isLocal reports whether an address is one of this host alone: its loopback, those of its
// links, where clouds tell secrets (169.254.169.254), and none.
func isLocal(addr netip.Addr) bool {
	addr = addr.Unmap()
	return addr.IsLoopback() || addr.IsUnspecified() || addr.IsLinkLocalUnicast() || addr.IsMulticast()
}

// AsksHere reports whether an engine that asks a host, with or without a port, would ask an address of this host
// alone, and the host is none of the allowed ones.
func AsksHere(ctx context.Context, host string, allowed []string) bool {
	return !allowedHost(host, allowed) && (isLocalName(bare(host)) || resolvesHere(ctx, bare(host)))
}

// resolvesHere reports whether a host has an address of this host alone, or a private one that is
// its own, such as the gateway of a bridge.
func resolvesHere(ctx context.Context, host string) bool {
	ctx, cancel := context.WithTimeout(ctx, maxResolve)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false // the engine says so
	}
	own, _ := net.InterfaceAddrs()
	for _, addr := range found {
		if isLocal(addr) {
			return true
		}
		for _, o := range own {
			if p, err := netip.ParsePrefix(o.String()); err == nil && p.Addr().Unmap() == addr.Unmap() && addr.Unmap().IsPrivate() {
				return true
			}
		}
	}
	return false
}
