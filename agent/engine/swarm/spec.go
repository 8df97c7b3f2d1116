package swarm

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/swarm"
	"github.com/docker/go-units"

	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/node"
)

// service returns the service of the group that the Spec's process belongs to. overlay is the
// name of the app's own network. hides: the node service serves processes whose port is not
// published.
func service(s engine.Spec, overlay string, hides bool) (swarm.ServiceSpec, error) {
	c, err := containerSpec(s)
	if err != nil {
		return swarm.ServiceSpec{}, err
	}
	labels := own(s)
	labels[labelImage], labels[labelFirst] = s.Image, strconv.Itoa(max(s.Placement.First, 1))
	replicas := uint64(s.Members())
	networks := []swarm.NetworkAttachmentConfig{{Target: overlay, Aliases: append(slices.Clone(s.Names), s.App+"."+s.Type)}}
	for _, name := range s.Joins {
		networks = append(networks, swarm.NetworkAttachmentConfig{Target: name, Aliases: slices.Clone(s.Aliases)})
	}
	log := docker.LogConfig(s)
	made := swarm.ServiceSpec{
		Annotations: swarm.Annotations{Name: s.GroupName(), Labels: labels},
		Mode:        swarm.ServiceMode{Replicated: &swarm.ReplicatedService{Replicas: &replicas}},
		TaskTemplate: swarm.TaskSpec{
			ContainerSpec: c,
			Resources: &swarm.ResourceRequirements{
				Limits:       &swarm.Limit{MemoryBytes: s.Limits.Memory, NanoCPUs: s.Limits.NanoCPUs, Pids: s.Limits.Pids},
				Reservations: &swarm.Resources{MemoryBytes: s.Limits.MemoryReservation},
			},
			RestartPolicy: restartPolicy(s.RestartPolicy),
			Placement:     &swarm.Placement{Constraints: s.Placement.Constraints, MaxReplicas: uint64(s.Placement.MaxPerNode)},
			Networks:      networks,
			LogDriver:     &swarm.Driver{Name: log.Type, Options: log.Config},
		},
		// Virtual addresses need IPVS, and nothing connects to them.
		EndpointSpec: &swarm.EndpointSpec{Mode: swarm.ResolutionModeDNSRR},
	}
	for _, p := range s.Placement.Preferences {
		label, ok := strings.CutPrefix(p, "spread=")
		if !ok {
			return made, fmt.Errorf("a swarm knows no placement preference %q: use spread=node.labels.NAME", p)
		}
		made.TaskTemplate.Placement.Preferences = append(made.TaskTemplate.Placement.Preferences,
			swarm.PlacementPreference{Spread: &swarm.SpreadOver{SpreadDescriptor: label}})
	}
	if s.Port != 0 {
		target := s.Port
		if hides {
			target, c.Labels[node.LabelPort] = node.NoPort, strconv.Itoa(s.Port)
		}
		made.EndpointSpec.Ports = []swarm.PortConfig{{Protocol: swarm.PortConfigProtocolTCP, TargetPort: uint32(target), PublishMode: swarm.PortConfigPublishModeHost}}
	}
	return made, nil
}

// own are the labels that the service and its containers have in common. The dyno differs
// between the containers, and templates of a service reach no labels.
func own(s engine.Spec) map[string]string {
	labels := s.Labels()
	labels[engine.LabelDyno] = ""
	return labels
}

func containerSpec(s engine.Spec) (*swarm.ContainerSpec, error) {
	labels := maps.Clone(s.Options.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, own(s))
	grace := s.StopTimeout
	if grace == 0 {
		grace = defaultGrace
	}
	c := &swarm.ContainerSpec{
		Image:           s.Placement.Image,
		Labels:          labels,
		Command:         s.Entrypoint,
		Args:            s.Command,
		Env:             environment(s),
		Hostname:        literal(s.Hostname),
		User:            s.Options.User,
		Init:            new(!s.NoInit),
		StopSignal:      s.Options.StopSignal,
		StopGracePeriod: &grace,
		ReadOnly:        s.Options.ReadOnly,
		// A swarm waits for an image's HEALTHCHECK, 30 s by default, before it calls a
		// process running, and ends one that fails it. Here the gate decides.
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
	}
	c.CapabilityAdd, c.CapabilityDrop = s.Rights()
	if s.Restricted || s.Options.NoNewPrivileges { // a node with an engine before 25 ignores it
		c.Privileges = &swarm.Privileges{NoNewPrivileges: true}
	}
	for _, line := range s.Options.Hosts {
		name, address, _ := strings.Cut(line, ":")
		c.Hosts = append(c.Hosts, address+" "+name)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Options.Ulimits)) {
		c.Ulimits = append(c.Ulimits, &units.Ulimit{Name: name, Soft: s.Options.Ulimits[name][0], Hard: s.Options.Ulimits[name][1]})
	}
	for _, m := range s.Mounts {
		c.Mounts = append(c.Mounts, mount.Mount{Type: mount.TypeVolume, Source: literal(m.Source), Target: literal(m.Target), ReadOnly: m.ReadOnly})
	}
	if n := s.Options.ShmSize; n != 0 {
		c.Mounts = append(c.Mounts, mount.Mount{Type: mount.TypeTmpfs, Target: "/dev/shm", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: n, Mode: 0o1777}})
	}
	for _, dir := range slices.Sorted(maps.Keys(s.Options.Tmpfs)) {
		o, err := tmpfs(s.Options.Tmpfs[dir])
		if err != nil {
			return nil, fmt.Errorf("%w of --tmpfs %s", err, dir)
		}
		c.Mounts = append(c.Mounts, mount.Mount{Type: mount.TypeTmpfs, Target: literal(dir), TmpfsOptions: o})
	}
	return c, nil
}

// defaultGrace is the engine's own, between the stop signal and KILL.
const defaultGrace = 10 * time.Second

// environment is the Spec's, with the DYNO of each member's own.
func environment(s engine.Spec) []string {
	list := make([]string, len(s.Env))
	dyno := fmt.Sprintf("DYNO=%s.%d", s.Type, s.Index)
	for n, pair := range s.Env {
		key, value, is := strings.Cut(pair, "=")
		switch {
		case pair == dyno:
			list[n] = "DYNO=" + literal(s.Type) + "." + index(s)
		case is:
			list[n] = key + "=" + literal(value)
		default:
			list[n] = pair
		}
	}
	return list
}

// index is a template for the index of a member. Templates cannot add, so one for a group
// that begins with another index than 1 lists them.
func index(s engine.Spec) string {
	if s.Placement.First <= 1 {
		return "{{.Task.Slot}}"
	}
	var text strings.Builder
	for slot := 1; slot <= max(s.Members(), listed); slot++ {
		fmt.Fprintf(&text, `{{if eq .Task.Slot "%d"}}%d{{end}}`, slot, s.Placement.First+slot-1)
	}
	return text.String()
}

// listed is how many indexes are listed at least: a group may grow.
const listed = 20

// literal makes a text a template for itself: a swarm takes environment, mounts and the host
// name for templates.
func literal(text string) string { return strings.ReplaceAll(text, "{{", `{{"{{"}}`) }

// restartPolicy translates a policy. A swarm restarts after a delay that does not grow.
func restartPolicy(text string) *swarm.RestartPolicy {
	p, _ := engine.ParseRestartPolicy(text) // checked by Start
	made := &swarm.RestartPolicy{Delay: new(restartDelay)}
	switch p.Name {
	case "no":
		made.Condition = swarm.RestartPolicyConditionNone
	case "on-failure":
		made.Condition = swarm.RestartPolicyConditionOnFailure
		if p.Max > 0 {
			made.MaxAttempts, made.Window = new(uint64(p.Max)), new(restartWindow)
			return made
		}
		made.Delay = new(endlessDelay)
	default:
		made.Condition, made.Delay = swarm.RestartPolicyConditionAny, new(endlessDelay)
	}
	return made
}

const (
	restartDelay = time.Second
	// restartWindow is how far back the restarts of a policy with a limit count: a swarm also
	// counts each move to another node.
	restartWindow = 10 * time.Minute
	// endlessDelay is that of a policy without a limit: each restart makes a container.
	endlessDelay = 5 * time.Second
)

// tmpfs reads the options of docker run --tmpfs. Those of a service are size and mode; it
// has no others but the engine's default ones.
func tmpfs(text string) (*mount.TmpfsOptions, error) {
	o := &mount.TmpfsOptions{}
	for option := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(option, "=")
		var err error
		switch name {
		case "", "rw", "noexec", "nosuid", "nodev":
		case "size":
			o.SizeBytes, err = units.RAMInBytes(value)
		case "mode":
			var mode uint64
			mode, err = strconv.ParseUint(value, 8, 32)
			o.Mode = os.FileMode(mode)
		default:
			err = fmt.Errorf("a swarm has only size and mode")
		}
		if err != nil {
			return nil, fmt.Errorf("a process of a swarm cannot have the option %s (%w)", option, err)
		}
	}
	return o, nil
}
