package doctor

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/firewall"
	"dokku/agent/services"
	"dokku/agent/text"
)

// checkIsolations names the apps that are older than isolation. That is no fault: they keep what
// they have until somebody decides.
func (d *examination) checkIsolations(context.Context) []Finding {
	var older, open []string
	for _, name := range d.folders() {
		a, err := d.Server.Env.Store.Load(name)
		switch {
		case err == nil && a.State.Isolation == app.IsolationOlder:
			older = append(older, name)
		case err == nil && a.State.Isolation == app.IsolationContainers:
			open = append(open, name)
		}
	}
	var list []Finding
	if open != nil {
		list = fine("isolation", "%s from before the firewall reach ports of this server: %s; to keep one from them: dokku isolation:enable APP",
			text.Plural(len(open), "isolated app"), strings.Join(open, ", "))
	}
	if older != nil {
		list = append(list, fine("isolation", "the containers of %s from before isolation have the rights of Docker's defaults and no limits: %s; to isolate one: dokku isolation:enable APP",
			text.Plural(len(older), "app"), strings.Join(older, ", "))...)
	}
	return append(list, d.olderServices()...)
}

// olderServices names the services whose containers have the rights of the engine's defaults.
func (d *examination) olderServices() []Finding {
	m := &services.Manager{Store: d.Server.Env.Store}
	all, err := m.All()
	if err != nil {
		return nil // checkServices says so
	}
	var older []string
	for _, r := range all {
		k, err := m.Kind(r.Kind)
		if err != nil || k.Unrestricted {
			continue
		}
		if s, err := m.Load(k, r.Name); err == nil && !s.Container.Restricted {
			older = append(older, r.String())
		}
	}
	if older == nil {
		return nil
	}
	kind, _, _ := strings.Cut(older[0], " ")
	return fine("isolation", "%s without isolation, with the rights of Docker's defaults and no limit of processes: %s; to isolate one: dokku %s:isolate NAME",
		text.Plural(len(older), "service"), strings.Join(older, ", "), kind)
}

// checkFirewall looks whether what keeps the containers of isolated apps from ports of this server
// is in the kernel.
func (d *examination) checkFirewall(ctx context.Context) []Finding {
	const check = "firewall"
	var apps []string
	for _, name := range d.folders() {
		if a, err := d.Server.Env.Store.Load(name); err == nil && a.Deployed() && (app.View{App: a, Settings: d.set}).Filtered() {
			apps = append(apps, name)
		}
	}
	builds := d.set.FiltersBuilds()
	if len(apps) == 0 && !builds || d.Server.Env.Firewall == nil {
		return nil
	}
	count := text.Plural(len(apps), "app")
	if builds {
		count += " and builds by the engine"
	}
	filter := d.Server.Env.Firewall(d.set)
	if filter == nil {
		return fine(check, "switched off in %s: the containers of %s reach ports of this server", d.Server.Env.Store.Own("server.json"), count)
	}
	err := filter.Check(ctx, d.Server.Env.Filtering().Rules)
	switch {
	case errors.Is(err, firewall.ErrMissing):
		return []Finding{wrong(check, HealthWarning, "sudo ./install.sh install", "the containers of %s reach ports of this server: %s", count, err)}
	case err == nil && d.Server.Env.Filtering().Failed != "":
		err = errors.New(d.Server.Env.Filtering().Failed)
	}
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "dokku doctor --fix", "the containers of %s may reach ports of this server: %s", count, err).
			fixable(check, func(ctx context.Context) error { return d.Server.Filter(ctx, true) })}
	}
	return fine(check, "the containers of %s reach no ports of this server but the web's and those of host-ports", count)
}

// checkIsolation tells what the app's containers may do to the host and other apps.
func (d *examination) checkIsolation(a *app.App) []Finding {
	const check = "isolation"
	var list []Finding
	switch {
	case a.State.Isolation == app.IsolationOlder:
		list = fine(check, "none, the app is older: its containers have the rights of Docker's defaults and no limits; to isolate it: dokku isolation:enable %s", a.Name)
	case a.State.Isolation == app.IsolationOff:
		list = fine(check, "disabled (isolation:disable): its containers have the rights of Docker's defaults and no limits")
	case a.Deployed() && !a.State.Stopped && a.Current.Isolation == nil:
		list = append(list, wrong(check, HealthWarning, "dokku ps:restart "+a.Name, "enabled, but its containers are older than that"))
	case a.State.Isolation == app.IsolationContainers:
		list = fine(check, "enabled, from before the firewall: its containers reach ports of this server; to keep them from these: dokku isolation:enable %s", a.Name)
	default:
		list = fine(check, "enabled")
	}
	return append(list, d.checkMounts(a)...)
}

// checkMounts names the mounts that lie inside folders which can be mounted. Whoever writes to
// such a folder leads the mount to any folder of the host.
func (d *examination) checkMounts(a *app.App) []Finding {
	const check = "mounts"
	v := app.View{App: a, Settings: d.set}
	nested := v.NestedMounts()
	if len(nested) == 0 {
		return nil
	}
	var list []Finding
	for _, name := range d.folders() {
		other, err := d.Server.Env.Store.Load(name)
		if err != nil {
			continue
		}
		for _, m := range (app.View{App: other, Settings: d.set}).Mounts() {
			i := slices.IndexFunc(nested, func(path string) bool { return path != m.Source && disk.Within(path, m.Source) })
			if i < 0 || m.ReadOnly || m.Volume() {
				continue
			}
			list = append(list, wrong(check, HealthWarning, "dokku storage:unmount "+a.Name+" "+nested[i]+", and mount a folder of its own (dokku storage:ensure-directory NAME)",
				"%s mounts %s and can lead the mount %s to any folder of the server", name, m.Source, nested[i]))
		}
	}
	if list == nil {
		return fine(check, "%s inside of %s, from before isolation: an app that mounts the whole of it could lead them elsewhere: %s",
			text.Plural(len(nested), "mount"), filepath.Dir(nested[0]), strings.Join(nested, ", "))
	}
	return list
}
