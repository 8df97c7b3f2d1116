package docker

import (
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-units"

	"dokku/agent/engine"
)

// addOptions adds the options of docker-options to a container's configurations.
func addOptions(o engine.Options, config *container.Config, host *container.HostConfig) {
	config.User, config.StopSignal = o.User, o.StopSignal
	for name, value := range o.Labels {
		if _, own := config.Labels[name]; !own {
			config.Labels[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Ulimits)) {
		host.Ulimits = append(host.Ulimits, &units.Ulimit{Name: name, Soft: o.Ulimits[name][0], Hard: o.Ulimits[name][1]})
	}
	for _, device := range o.Devices {
		host.Devices = append(host.Devices, deviceOf(device))
	}
	host.ShmSize, host.ExtraHosts = o.ShmSize, o.Hosts
	host.Tmpfs, host.ReadonlyRootfs = o.Tmpfs, o.ReadOnly
}

// deviceOf reads a device as docker run --device does: SOURCE[:TARGET][:MODE].
func deviceOf(text string) container.DeviceMapping {
	parts := strings.Split(text, ":")
	d := container.DeviceMapping{PathOnHost: parts[0], PathInContainer: parts[0], CgroupPermissions: "rwm"}
	for _, part := range parts[1:] {
		if strings.HasPrefix(part, "/") {
			d.PathInContainer = part
		} else {
			d.CgroupPermissions = part
		}
	}
	return d
}
