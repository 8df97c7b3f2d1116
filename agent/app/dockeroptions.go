package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dokku/build/options"
)

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
	return options.Run.Containers(v.State.DockerOptions[string(options.Run)], nil)
}

// CheckContainers returns an error if a container of the release, or a one-off container,
// could not get what storage:mount and docker-options ask for.
func (v View) CheckContainers(a ContainerOptions) error {
	if err := v.checkMounts(a.Mounts, options.Container{}); err != nil {
		return err
	}
	lists := maps.Clone(a.DockerOptions)
	if run := v.State.DockerOptions[string(options.Run)]; len(run) > 0 {
		lists = Merged(lists, map[string][]string{string(options.Run): run})
	}
	if err := v.checkDockerOptions(lists); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		c, err := v.containersOf(lists, key)
		if err == nil {
			err = v.checkMounts(a.Mounts, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// containersOf returns what the options below a key ask for, with those of all types.
func (v View) containersOf(lists map[string][]string, key string) (options.Container, error) {
	phase, typ, _ := strings.Cut(key, ".")
	if typ == "" {
		return options.Phase(phase).Containers(lists[key], nil)
	}
	return options.Phase(phase).Containers(lists[phase], lists[key])
}

// checkDockerOptions returns an error if a stored option is invalid.
func (v View) checkDockerOptions(lists map[string][]string) error {
	for _, key := range slices.Sorted(maps.Keys(lists)) {
		if _, err := v.containersOf(lists, key); err != nil {
			phase, typ, _ := strings.Cut(key, ".")
			flag := ""
			if typ != "" {
				flag = "--process " + typ + " "
			}
			return fmt.Errorf("%w; remove it: dokku docker-options:clear %s%s %s", err, flag, v.Name, phase)
		}
	}
	return nil
}

// checkMounts returns an error if a folder may not be mounted, or two mounts have the same
// path in the container.
func (v View) checkMounts(mounts []Mount, c options.Container) error {
	taken := map[string]string{}
	for _, m := range mounts {
		if _, err := v.Settings.Source(m); err != nil {
			return err
		}
		taken[m.Target] = m.String()
	}
	for _, m := range c.Mounts {
		if _, err := v.Settings.Source(Mount(m)); err != nil {
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
