package backup

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/proxy"
	"dokku/agent/remote"
	"dokku/agent/services"
	"dokku/build/options"
	"dokku/scale"
)

// Forms of values that no command's own check has in a form of its own.
var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	volumeName   = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,199}$`)
	hexadecimal  = regexp.MustCompile(`^[0-9a-f]{1,64}$`)
	revisionID   = regexp.MustCompile(`^[0-9a-f]{40}$`)
	resourceKey  = regexp.MustCompile(`^[^.]+\.(limit|reserve)\.(cpu|memory|memory-swap|network|network-ingress|network-egress|nvidia-gpu)$`)
	taskKey      = regexp.MustCompile(`^[A-Za-z0-9_.:/+=-]{1,200}$`)
)

// checkState checks the settings of an app that no command of this server has checked: what its
// commands would refuse is refused here. set are the server's.
func checkState(v app.View) error {
	st := &v.State
	return inOrder(
		func() error { return printable("", reflect.ValueOf(st).Elem()) },
		func() error { return checkConfig(st.Config) },
		func() error { return checkScale(v, st.Scale, st.ScaleNext) },
		func() error { return checkWeb(v) },
		func() error { return checkAuth(st.Auth) },
		func() error { return checkBuild(v) },
		func() error {
			return checkOptions(v, v.ContainerOptions())
		},
		func() error { return checkKept(st) },
		func() error { return checkHooks(st.Hooks) },
	)
}

// inOrder calls the checks until one fails.
func inOrder(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// each returns the first error about an element.
func each[T any](list []T, check func(T) error) error {
	for _, e := range list {
		if err := check(e); err != nil {
			return err
		}
	}
	return nil
}

// free are fields whose texts may have any characters: values of variables, and control files,
// whose parsers decide.
var free = []string{"Config", "Sets", "Files"}

// printable refuses control characters in all texts of a value, which reports show and commands
// compare. The names of variables are checked by checkConfig.
func printable(name string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		// A pusher's message and the subject of a commit may have a tab.
		if text := v.String(); event.Printable(text) != text || strings.Contains(text, "\t") && name != "message" && name != "subject" {
			return fmt.Errorf("%s has a control character: %.80q", name, text)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return printable(name, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := printable(name, v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if err := inOrder(func() error { return printable(name, key) }, func() error { return printable(name, v.MapIndex(key)) }); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || slices.Contains(free, f.Name) {
				continue
			}
			label, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if err := printable(cmp.Or(label, name), v.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkConfig(config map[string]string) error {
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if !variableName.MatchString(key) {
			return fmt.Errorf("invalid name %q of a config variable", event.OneLine(key))
		}
		if strings.Contains(config[key], "\x00") {
			return fmt.Errorf("the config variable %s has a NUL byte, which an environment cannot hold", key)
		}
	}
	return nil
}

func checkScale(v app.View, counts ...map[string]int) error {
	for _, m := range counts {
		for _, typ := range slices.Sorted(maps.Keys(m)) {
			if n := m[typ]; !scale.ValidType(typ) || n < 0 || n > v.Settings.MaxScale {
				return fmt.Errorf("invalid scale %s=%d: a type of processes has a plain name, and 0 to %d processes", event.OneLine(typ), n, v.Settings.MaxScale)
			}
		}
	}
	return nil
}

// checkWeb checks how visitors reach the app.
func checkWeb(v app.View) error {
	st := &v.State
	if st.HostPort != 0 && !isPort(st.HostPort) {
		return fmt.Errorf("invalid host port %d", st.HostPort)
	}
	var hosts []int
	for _, m := range st.Ports {
		if m.Scheme != "http" && m.Scheme != "https" || !isPort(m.Host) || m.Container != 0 && !isPort(m.Container) || slices.Contains(hosts, m.Host) {
			return fmt.Errorf("invalid port mapping %s", m)
		}
		hosts = append(hosts, m.Host)
	}
	for _, from := range slices.Sorted(maps.Keys(st.Redirects)) {
		if err := proxy.CheckRedirect(proxy.Redirect{From: from, To: st.Redirects[from].To, Code: st.Redirects[from].Code}); err != nil {
			return err
		}
	}
	for _, name := range []string{proxy.AccessLogPath, proxy.ErrorLogPath} {
		if value, dir := st.Nginx[name], v.Settings.Nginx.Logs(); value != "" && value != proxy.Off && filepath.Dir(value) != dir && !strings.HasPrefix(filepath.Clean(value), dir+"/") {
			return fmt.Errorf("invalid %s %q: it is not below %s", name, value, dir)
		}
	}
	return inOrder(
		func() error { return each(st.Domains, proxy.CheckDomain) },
		func() error { return checkTLD(st.Network[app.NetworkTLD]) },
	)
}

// checkTLD checks the end of an app's names on shared networks.
func checkTLD(tld string) error {
	if tld != "" && proxy.CheckDomain("x."+tld) != nil {
		return fmt.Errorf("invalid tld %q of network:set", tld)
	}
	return nil
}

func isPort(n int) bool { return n > 0 && n <= 65535 }

func checkAuth(a *app.Auth) error {
	if a == nil {
		return nil
	}
	for _, user := range slices.Sorted(maps.Keys(a.Users)) {
		if err := inOrder(func() error { return proxy.CheckUser(user) }, func() error { return proxy.CheckHash(a.Users[user]) }); err != nil {
			return fmt.Errorf("http-auth: %w", err)
		}
	}
	return errors.Join(each(a.Domains, proxy.CheckDomain), each(a.AllowedIPs, func(ip string) error {
		_, err := netip.ParsePrefix(ip)
		if _, aerr := netip.ParseAddr(ip); err != nil && aerr != nil {
			return fmt.Errorf("invalid address %q of http-auth", ip)
		}
		return nil
	}))
}

// checkBuild checks how revisions become images.
func checkBuild(v app.View) error {
	return inOrder(
		func() error {
			_, err := options.Build.Read(v.State.BuildOptions)
			return err
		},
		func() error {
			return each(v.State.Buildpacks, func(text string) error {
				_, err := app.Buildpack(text)
				return err
			})
		},
		func() error {
			s := v.State.Synced
			if s == nil {
				return nil
			}
			if !revisionID.MatchString(s.Revision) {
				return fmt.Errorf("invalid revision %q that git:sync fetched", s.Revision)
			}
			if s.Source.Kind != app.SourceSync {
				return nil
			}
			address, _, _ := strings.Cut(s.Source.From, " ")
			_, err := remote.Parse(address)
			return err
		},
	)
}

// checkOptions checks what containers get, of the next release or of a stored one. The folders
// of mounts need not be here yet: they are looked at when a container starts.
func checkOptions(v app.View, o app.ContainerOptions) error {
	if err := v.CheckOptions(o); err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(o.Resources)) {
		if !resourceKey.MatchString(key) {
			return fmt.Errorf("invalid resource %q", key)
		}
	}
	if err := app.CheckResources(o.Resources); err != nil {
		return err
	}
	targets := map[string]bool{}
	for _, m := range o.Mounts {
		if targets[m.Target] || !mountable(m) {
			return fmt.Errorf("invalid mount %s", m)
		}
		targets[m.Target] = m.ProcessType == "" && m.Phase == ""
	}
	return inOrder(
		func() error { return checkTLD(o.NetworkTLD) },
		func() error { return each(o.Networks, agent.ValidNetworkName) },
		func() error {
			return each(o.Links, func(l app.Link) error {
				if services.ValidName(l.Name) != nil || !services.ValidKind(l.Kind) {
					return fmt.Errorf("invalid service %s", l)
				}
				return nil
			})
		})
}

// mountable reports whether storage:mount could have stored the mount.
func mountable(m app.Mount) bool {
	target := path.Clean(m.Target)
	switch {
	case !path.IsAbs(m.Target), target == "/", strings.Contains(m.Target, ":"), strings.Contains(m.Source, ":"):
		return false
	case target == "/proc", target == "/sys", strings.HasPrefix(target, "/proc/"), strings.HasPrefix(target, "/sys/"):
		return false
	case m.Volume():
		return volumeName.MatchString(m.Source)
	case !slices.Contains([]string{"", app.MountDeploy, app.MountRun}, m.Phase), m.ProcessType != "" && !scale.ValidType(m.ProcessType):
		return false
	}
	return filepath.Clean(m.Source) == m.Source
}

// checkKept checks what names files and releases.
func checkKept(st *app.State) error {
	if st.MaintenancePage != "" && !hexadecimal.MatchString(st.MaintenancePage) {
		return fmt.Errorf("invalid maintenance page %q", st.MaintenancePage)
	}
	for _, c := range st.Own() {
		if !hexadecimal.MatchString(c.ID) {
			return fmt.Errorf("invalid certificate %q", c.ID)
		}
	}
	if st.KeepReleases < 0 || slices.ContainsFunc(st.Pinned, func(n int) bool { return n < 1 }) {
		return errors.New("invalid numbers of kept releases")
	}
	if st.Isolation < app.IsolationOff {
		return fmt.Errorf("invalid isolation %d", st.Isolation)
	}
	return each(st.CronSuspended, func(key string) error {
		if !taskKey.MatchString(key) {
			return fmt.Errorf("invalid task %q of cron:suspend", key)
		}
		return nil
	})
}

func checkHooks(hooks []app.Hook) error {
	if len(hooks) > app.MaxHooks {
		return fmt.Errorf("it has %d addresses of notify:add, of which %d are possible", len(hooks), app.MaxHooks)
	}
	return each(hooks, app.Hook.Check)
}

// checkServer checks the server's settings that have no properties' tables.
func checkServer(set *app.Settings) error {
	if set.MaxScale < 0 || set.KeepReleases < 0 {
		return errors.New("server.json: max_scale and keep_releases are no negative numbers")
	}
	for _, name := range slices.Sorted(maps.Keys(set.FrontDoors)) {
		if err := app.CheckDoorName(name); err != nil {
			return err
		}
		if _, _, err := app.ParseDoorAddress(set.FrontDoors[name].Address); err != nil {
			return fmt.Errorf("front door %s: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(set.StorageEntries)) {
		if e := set.StorageEntries[name]; !mountable(app.Mount{Source: e.HostPath, Target: "/x"}) {
			return fmt.Errorf("storage entry %s: invalid path %q", name, e.HostPath)
		}
	}
	return inOrder(
		func() error { return printable("server.json", reflect.ValueOf(set).Elem()) },
		func() error { return checkConfig(set.Config) },
		func() error { return each(set.Domains, proxy.CheckDomain) },
		func() error { return checkHooks(set.Hooks) },
	)
}
