package app

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"dokku/agent/event"
	"dokku/build/options"
)

// Properties of docker-options:set, which only the server has: what --cap-add, --device and
// mounts may name, the latter outside of the data root. They list nothing by default.
const (
	PropCapabilities = "allowed-capabilities"
	PropDevices      = "allowed-devices"
	PropMounts       = "allowed-mounts"
)

// CheckDockerProperty returns an error if a value is not a list of capabilities, devices or
// paths.
func CheckDockerProperty(name, value string) error {
	for _, word := range Words(value) {
		if name == PropMounts {
			if word == "/" || !filepath.IsAbs(word) || filepath.Clean(word) != word {
				//lint:ignore ST1005 the style of Dokku's messages
				return fmt.Errorf("Invalid %s specified: %q is not the absolute path of a folder or file, such as /srv/media", name, event.OneLine(word))
			}
			continue
		}
		option := map[string]string{PropCapabilities: "--cap-add ", PropDevices: "--device "}[name] + word
		if _, err := options.Deploy.Parse([]string{option}); err != nil || strings.Contains(word, ":") {
			//lint:ignore ST1005 the style of Dokku's messages
			return fmt.Errorf("Invalid %s specified: %q is not %s", name, event.OneLine(word),
				map[string]string{PropCapabilities: "a capability, such as NET_ADMIN", PropDevices: "a device, such as /dev/fuse"}[name])
		}
	}
	return nil
}

// checkRights returns an error if containers ask for rights that the server does not give.
func (v View) checkRights(c options.Container) error {
	check := func(option, property string, asked []string) error {
		allowed := Words(v.Settings.DockerOptions[property])
		for _, name := range asked {
			name, _, _ = strings.Cut(name, ":")
			if !slices.ContainsFunc(allowed, func(a string) bool { return a == name || strings.TrimPrefix(strings.ToUpper(a), "CAP_") == name }) {
				return fmt.Errorf("%s %s is a right over the server, which does not give it to apps; to allow it, run on the server: dokku docker-options:set --global %s %s",
					option, name, property, strings.Join(append(allowed, name), ","))
			}
		}
		return nil
	}
	return errors.Join(check("--cap-add", PropCapabilities, c.CapAdd), check("--device", PropDevices, c.Devices))
}

// OptionsKey returns the key of the options of a phase: "deploy", "run", or "deploy.web"
// of a process type.
func OptionsKey(phase options.Phase, typ string) string {
	if typ == "" {
		return string(phase)
	}
	return string(phase) + "." + typ
}

// Containers returns what docker-options asks for of the containers of a process type.
func (a ContainerOptions) Containers(typ string) (options.Container, error) {
	own := a.DockerOptions[OptionsKey(options.Deploy, typ)]
	if typ == "" {
		own = nil
	}
	return options.Deploy.Containers(a.DockerOptions[string(options.Deploy)], own)
}

// OneOffs returns what docker-options asks for of one-off containers, now.
func (v View) OneOffs() (options.Container, error) {
	c, err := options.Run.Containers(v.State.DockerOptions[string(options.Run)], nil)
	if err == nil {
		err = v.checkRights(c)
	}
	return c, err
}

// CheckContainers returns an error if a container of the release, or a one-off container,
// could not get what storage:mount and docker-options ask for.
func (v View) CheckContainers(a ContainerOptions) error {
	if err := v.checkMounts(a, options.Container{}); err != nil {
		return err
	}
	lists := v.optionLists(a)
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		c, err := containersOf(lists, key)
		if err == nil {
			err = v.checkRights(c)
		}
		if err == nil {
			err = v.checkMounts(a, c)
		}
		if err == nil {
			err = checkLimits(a, key, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkLimits returns an error if docker options and resource:limit contradict each other.
// key is that of the options.
func checkLimits(a ContainerOptions, key string, c options.Container) error {
	_, typ, _ := strings.Cut(key, ".")
	if _, err := a.Limits(cmp.Or(typ, DefaultType), c); err != nil {
		return fmt.Errorf("with the limits and reservations of resource:limit and resource:reserve, %w", err)
	}
	return nil
}

// CheckOptions returns an error, with its fix, if a stored option of the release, or of
// one-off containers, is invalid.
func (v View) CheckOptions(a ContainerOptions) error {
	lists := v.optionLists(a)
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		if _, err := containersOf(lists, key); err != nil {
			phase, typ, _ := strings.Cut(key, ".")
			flag := ""
			if typ != "" {
				flag = "--process " + typ + " "
			}
			return fmt.Errorf("%w; to remove all of that phase: dokku docker-options:clear %s%s %s", err, flag, v.Name, phase)
		}
	}
	return nil
}

// optionLists are the options of a release and those of one-off containers, by OptionsKey.
func (v View) optionLists(a ContainerOptions) map[string][]string {
	lists := Merged(a.DockerOptions, nil)
	if run := v.State.DockerOptions[string(options.Run)]; len(run) > 0 {
		lists[string(options.Run)] = run
	}
	return lists
}

// containersOf returns what the options below a key ask for, with those of all types.
func containersOf(lists map[string][]string, key string) (options.Container, error) {
	phase, typ, _ := strings.Cut(key, ".")
	if typ == "" {
		return options.Phase(phase).Containers(lists[key], nil)
	}
	return options.Phase(phase).Containers(lists[phase], lists[key])
}

// checkMounts returns an error if a folder may not be mounted, or two mounts have the same
// path in the container.
func (v View) checkMounts(a ContainerOptions, c options.Container) error {
	taken, direct := map[string]string{}, a.Isolation != nil
	for _, m := range a.Mounts {
		if _, err := v.Settings.Source(m, direct); err != nil {
			return err
		}
		taken[m.Target] = m.String()
	}
	for _, m := range c.Mounts {
		if _, err := v.Settings.Source(Mount{Source: m.Source, Target: m.Target}, direct); err != nil {
			return fmt.Errorf("%w; the mount is an option: dokku docker-options:report %s", err, v.Name)
		}
		if other, ok := taken[m.Target]; ok {
			return fmt.Errorf("%s has two mounts, and one is %s: remove it (dokku storage:unmount %s %[2]s) or the other (dokku docker-options:report %[3]s)", m.Target, other, v.Name)
		}
	}
	for target := range c.Tmpfs {
		if other, ok := taken[target]; ok {
			return fmt.Errorf("%s has two mounts, and one is %s: remove it (dokku storage:unmount %s %[2]s) or --tmpfs %[1]s (dokku docker-options:remove)", target, other, v.Name)
		}
	}
	return nil
}

// cloneLists returns a copy that shares no list.
func cloneLists(lists map[string][]string) map[string][]string {
	c := maps.Clone(lists)
	for key, list := range c {
		c[key] = slices.Clone(list)
	}
	return c
}
