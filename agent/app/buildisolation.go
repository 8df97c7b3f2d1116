package app

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"dokku/build"
	"dokku/build/daemon"
)

// PropIsolation says which BuildKit builds an app: IsolationEngine or IsolationOwn. builder:set
// sets it, for an app or the server.
const (
	PropIsolation   = "build-isolation"
	IsolationEngine = "engine"
	IsolationOwn    = "own"
)

// PropBuildNetwork says what the steps of the engine's builds reach of this server: BuildNetworkOpen
// or BuildNetworkFiltered. Only the server has it: all builds of an engine share one network.
const (
	PropBuildNetwork     = "build-network"
	BuildNetworkOpen     = "open"
	BuildNetworkFiltered = "filtered"
)

// FiltersBuilds reports whether the firewall keeps the engine's builds from this server's ports.
func (s Settings) FiltersBuilds() bool { return s.Build[PropBuildNetwork] == BuildNetworkFiltered }

// Limits of the server's own builder, which builder:set --global sets. Memory and cache are
// sizes or parts of the host's, processors a number or a part.
const (
	PropIsolationMemory   = "isolation-memory"
	PropIsolationCPUs     = "isolation-cpus"
	PropIsolationPIDs     = "isolation-pids"
	PropIsolationCache    = "isolation-cache-size"
	PropIsolationNetworks = "isolation-networks"
	// PropIsolationImages lists images of the engine that these builds may use.
	PropIsolationImages = "isolation-images"
)

// IsolationProperties are the properties of the builder, which only the server has.
var IsolationProperties = []string{PropIsolationMemory, PropIsolationCPUs, PropIsolationPIDs, PropIsolationCache, PropIsolationNetworks, PropIsolationImages}

// railpackFrontend is the image that reads the plans of railpack.
const railpackFrontend = "ghcr.io/railwayapp/railpack-frontend"

// maxIsolationPIDs is the highest number of processes that builds may have.
const maxIsolationPIDs = 1 << 20

// OwnBuilder reports whether the server's own builder builds the app, and says why for the log of
// a deploy. Whatever else may decide that is asked here alone.
func (v View) OwnBuilder() (own bool, why string) {
	if value := v.State.Build[PropIsolation]; value != "" {
		return value == IsolationOwn, fmt.Sprintf("builder:set %s %s", v.Name, PropIsolation)
	}
	if value := v.Settings.Build[PropIsolation]; value != "" {
		return value == IsolationOwn, "builder:set --global " + PropIsolation
	}
	if v.Settings.Deployed[v.Name] {
		return true, "a deployer's key is for the app"
	}
	return BuildDefaults[PropIsolation] == IsolationOwn, "the default"
}

// LocalImages returns the images of PropIsolationImages, and those of the apps of PropAllowFrom.
func (v View) LocalImages() []string {
	list, _ := build.ParseFrontends(v.Settings.Build[PropIsolationImages]) // builder:set has read it
	for _, other := range Words(v.State.Build[PropAllowFrom]) {
		list = append(list, "dokku/"+other)
	}
	return list
}

// BuilderSocket is the path of the socket of the server's own builder.
func (s Settings) BuilderSocket() string {
	if s.Builder != "" {
		return s.Builder
	}
	return daemon.Socket(DefaultBuilderService)
}

// DefaultBuilderService is the name that install.sh gives to the service of the builder.
const DefaultBuilderService = "dokku-builder"

// BuilderLimits returns the settings of the server's own builder on a host with so much memory and
// disk, in bytes, and so many processors.
func (s Settings) BuilderLimits(memory, disk int64, processors int) (d daemon.Settings, err error) {
	value := func(name string) string {
		if v := s.Build[name]; v != "" {
			return v
		}
		return BuildDefaults[name]
	}
	for _, name := range append([]string{PropIsolation, PropSyntax}, IsolationProperties...) {
		if v := value(name); v != "" {
			if err := CheckBuildProperty(name, v); err != nil {
				return d, err
			}
		}
	}
	part := func(name string, whole int64) int64 {
		size, share, _ := parsePart(value(name))
		if share > 0 {
			size = whole / 100 * share
		}
		return size
	}
	d.Memory, d.Cache = part(PropIsolationMemory, memory), part(PropIsolationCache, disk)
	if d.CPUs, err = parseCPUs(value(PropIsolationCPUs), processors); err != nil {
		return d, err
	}
	d.Processes, _ = strconv.ParseInt(value(PropIsolationPIDs), 10, 64)
	d.Allowed, _ = parseNetworks(value(PropIsolationNetworks))
	list, _ := build.ParseFrontends(s.Build[PropSyntax])
	d.Frontends = append(append(append([]string{}, build.Frontends...), railpackFrontend), list...)
	return d, nil
}

// parsePart returns bytes or percents.
func parsePart(value string) (size, share int64, err error) {
	number, ok := strings.CutSuffix(value, "%")
	if !ok {
		size, err = parseSize(value)
		if err == nil && size < leastCache {
			err = fmt.Errorf("%q is less than 100m, which is of no use to a build", value)
		}
		return size, 0, err
	}
	if share, err = strconv.ParseInt(number, 10, 64); err != nil || share < 1 || share > mostShare {
		err = fmt.Errorf("%q is neither a size such as 2g nor a part from 1%% to %d%%", value, mostShare)
	}
	return 0, share, err
}

// parseCPUs returns a number of processors.
func parseCPUs(value string, processors int) (n float64, err error) {
	number, share := strings.CutSuffix(value, "%")
	n, err = strconv.ParseFloat(number, 64)
	if share {
		n = n / 100 * float64(processors)
	}
	if err != nil || !(n > 0.009 && n <= 1024) || share && n > float64(processors) {
		return 0, fmt.Errorf("%q is neither a number of processors such as 1.5 nor a part of the host's such as 75%%", value)
	}
	return n, nil
}

// parseNetworks returns networks and addresses, separated by commas or blanks.
func parseNetworks(value string) (list []netip.Prefix, err error) {
	for _, word := range Words(value) {
		p, err := netip.ParsePrefix(word)
		if a, single := netip.ParseAddr(word); single == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil || !p.Addr().Is4() {
			return nil, fmt.Errorf("%q is neither an address of IPv4 nor a network such as 10.1.2.0/24", word)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

// checkBuildIsolation returns an error if the value of a property of isolation is invalid.
func checkBuildIsolation(name, value string) (err error) {
	switch name {
	case PropIsolation:
		if value != IsolationEngine && value != IsolationOwn {
			err = fmt.Errorf("%q is neither engine nor own", value)
		}
	case PropBuildNetwork:
		if value != BuildNetworkOpen && value != BuildNetworkFiltered {
			err = fmt.Errorf("%q is neither open nor filtered", value)
		}
	case PropIsolationMemory, PropIsolationCache:
		_, _, err = parsePart(value)
	case PropIsolationCPUs:
		_, err = parseCPUs(value, 1)
	case PropIsolationPIDs:
		if n, bad := strconv.ParseInt(value, 10, 64); bad != nil || n < 10 || n > maxIsolationPIDs {
			err = fmt.Errorf("%q is not a number of processes from 10 to %d", value, maxIsolationPIDs)
		}
	case PropIsolationImages:
		_, err = build.ParseFrontends(value)
	case PropIsolationNetworks:
		_, err = parseNetworks(value)
	}
	if err != nil {
		//lint:ignore ST1005 the style of Dokku's messages
		return fmt.Errorf("Invalid %s specified: %w", name, err)
	}
	return nil
}
