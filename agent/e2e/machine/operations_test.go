package machine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"dokku/agent/agenttest"
	"dokku/agent/app"
	"dokku/agent/certs"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/letsencrypt"
	"dokku/agent/proxy"
	"dokku/agent/repo"
)

// An operation is a row of agenttest's table, with the way to run it on a machine.
type operation struct {
	agenttest.Operation
	do func(*machine) error
}

// operations are the operations of a test.
func operations(ctx context.Context, h history, of agenttest.Tests) (list []operation) {
	for _, o := range agenttest.Operations(of) {
		list = append(list, operation{o, func(m *machine) (err error) {
			for _, line := range o.Lines {
				err = errors.Join(err, m.command(ctx, h, agenttest.Words(line, "shop", "store", "1")))
			}
			return err
		}})
	}
	return list
}

// command runs a command line of the table.
func (m *machine) command(ctx context.Context, h history, words []string) error {
	s, name, none := m.server, words[min(1, len(words)-1)], event.Log{}
	if words[0] == "config:set" && words[1] == "--no-restart" {
		return s.SetConfig(ctx, words[2], pairs(words[3:]), nil, false, none)
	}
	switch words[0] {
	case "push":
		switch words[1] {
		case "submodule":
			return m.pushSubmodule(ctx, h)
		case "detached":
			return m.pushDetached(ctx, h.one, h.two, deploy.PushOptions{})
		case "unregistered":
			return m.pushUnregistered(ctx, h)
		case "cancelled":
			return m.pushCancelled(ctx, h)
		}
		broken := map[string]string{"next": "", "broken": "*"}[words[1]]
		if len(words) > 2 {
			broken = words[2]
		}
		return m.pushNext(ctx, h, broken)
	case "git:from-image":
		return m.fromImage(ctx, name)
	case "git:load-image":
		return m.loadImage(ctx, name)
	case "git:from-archive":
		return m.fromArchive(ctx, name)
	case "git:sync":
		return m.syncWith(ctx, h, name)
	case "import":
		return m.importApp(ctx, h, name)
	case "server":
		return s.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error { set.Checks["disabled"] = pairs(words[2:])["disabled"]; return nil })
	case "cron":
		return m.cronMinute(ctx)
	case "apps:create":
		return s.Create(ctx, name, false)
	case "apps:destroy":
		return s.Destroy(ctx, name, none)
	case "apps:rename":
		return s.Rename(ctx, name, words[2], false, none)
	case "postgres:create", "postgres:link", "postgres:unlink", "postgres:upgrade", "postgres:expose", "postgres:isolate", "postgres:destroy", "postgres:import",
		"postgres:backup", "redis:import", "redis:clone", "redis:destroy", "redis:restore":
		return m.serviceCommand(ctx, words)
	case "maintenance:custom-page":
		return s.SetMaintenancePage(ctx, name, words[0], map[string][]byte{proxy.MaintenancePage: []byte("back soon")}, none)
	case "apps:lock":
		return s.SetLocked(ctx, name, true, none)
	case "cluster:rotate-certificates":
		if _, err := deploy.NodeKeys(s.Env.Store).Make(ctx, time.Now()); err != nil { // the real engine makes them
			return err
		}
		return s.RotateNodeKeys(ctx, none)
	case "scheduler:set":
		return s.SetScheduler(ctx, name, words[3], true, none)
	case "ps:restart":
		if len(words) > 2 {
			return s.RestartType(ctx, name, words[2], none)
		}
		return s.Restart(ctx, name, none)
	case "ps:rebuild":
		return s.Rebuild(ctx, name, none)
	case "ps:stop":
		return s.Stop(ctx, name, none)
	case "ps:start":
		return s.Start(ctx, name, none)
	case "ps:scale":
		counts := map[string]int{}
		for k, v := range pairs(words[2:]) {
			counts[k] = int(v[0] - '0')
		}
		return s.Scale(ctx, name, counts, false, none)
	case "proxy:enable", "proxy:disable":
		return s.SetProxy(ctx, name, words[0] == "proxy:enable", none)
	case "isolation:enable", "isolation:disable":
		return s.SetIsolation(ctx, name, words[0] == "isolation:enable", none)
	case "network:set":
		return s.SetHostAccess(ctx, name, words[2], words[3], none)
	case "proxy:build-config":
		return s.PublishRoute(ctx, name, none)
	case "ports:set":
		return m.mapping(portMaps(words[2:])...)
	case "certs:add":
		p, err := selfSigned()
		if err != nil {
			return err
		}
		return s.SetCertificate(ctx, name, words[0], none, &p)
	case "certs:remove":
		return s.SetCertificate(ctx, name, words[0], none, nil)
	case "letsencrypt:enable":
		return (&letsencrypt.Orderer{Server: s}).Enable(ctx, name, letsencrypt.Ask{By: "admin"}, none)
	case "letsencrypt:disable":
		return (&letsencrypt.Orderer{Server: s}).Disable(ctx, name, words[0], none)
	case "config:set":
		return s.SetConfig(ctx, name, pairs(words[2:]), nil, true, none)
	case "releases:rollback":
		return s.Rollback(ctx, name, 0, false, none)
	}
	op := deploy.Op{Name: words[0]}
	switch {
	case strings.HasPrefix(words[0], "domains:"), strings.HasPrefix(words[0], "redirect:"):
		op.Changes = deploy.ChangesNames
	case strings.HasPrefix(words[0], "maintenance:"), strings.HasPrefix(words[0], "http-auth:"):
		op.Changes = deploy.ChangesRoute
	}
	return s.Update(ctx, name, op, none, func(st *app.State) error { return set(st, words) })
}

// selfSigned is a certificate for the app's default domain; always the same, so that
// certs:add twice changes nothing.
var selfSigned = sync.OnceValues(func() (certs.Pair, error) {
	return certs.SelfSigned([]string{"shop." + app.HostName()}, time.Now())
})

// set changes settings that a command only stores.
func set(st *app.State, words []string) error {
	switch words[0] {
	case "domains:set":
		st.Domains = words[2:]
	case "nginx:set":
		st.Nginx = map[string]string{words[2]: words[3]}
	case "maintenance:enable", "maintenance:disable":
		st.Maintenance = words[0] == "maintenance:enable"
	case "redirect:set":
		st.Redirects = map[string]app.Redirect{words[2]: {To: words[3], Code: 301}}
	case "http-auth:enable":
		a := st.ChangingAuth()
		a.Enabled, a.Users[words[2]] = true, words[3]
	case "git:set":
		st.DeployBranch = words[3]
	case "ps:set":
		st.PS = map[string]string{words[2]: words[3]}
	case "notify:add":
		st.Hooks = []app.Hook{{ID: "h", URL: words[2], On: app.HookTopics}}
	case "notify:remove":
		st.Hooks = nil
	case "events:off":
		st.NoEvents = true
	case "registry:set":
		st.Registry = app.Merged(st.Registry, map[string]string{words[2]: words[3]})
	case "apps:set":
		st.Apps = app.Merged(st.Apps, map[string]string{words[2]: words[3]})
	case "builder:set":
		st.Build = map[string]string{words[2]: words[3]}
	default:
		return fmt.Errorf("there is no command %v", words)
	}
	return nil
}

func portMaps(words []string) (list []app.PortMap) {
	for _, w := range words {
		parts := append(strings.Split(w, ":"), "0")
		host, _ := strconv.Atoi(parts[1])
		container, _ := strconv.Atoi(parts[2])
		list = append(list, app.PortMap{Scheme: parts[0], Host: host, Container: container})
	}
	return list
}

// pushNext pushes the next revision of the app, and creates the app if needed, as the
// hooks' wrapper does. A revision whose processes of a type are broken ("*": of any) has to
// be rejected.
func (m *machine) pushNext(ctx context.Context, h history, broken string) error {
	apps, err := m.server.Env.Store.Apps()
	if err == nil && len(apps) == 0 {
		err = m.server.Create(ctx, "shop", true)
	}
	if err != nil {
		return err
	}
	old, next := h.one, h.two
	if tip, err := repo.Ref(m.server.Env.Store.Dir("shop"), "refs/heads/main"); err != nil || tip == "" {
		old, next = deploy.ZeroID, h.one
	}
	if broken != "" {
		return m.pushBroken(ctx, old, next, broken)
	}
	return m.pushTo(ctx, "shop", old, next, event.Log{})
}

// pushBroken pushes a revision whose processes of a type end at once. It is done when the
// push is rejected and the app is there.
func (m *machine) pushBroken(ctx context.Context, old, next, typ string) error {
	a, err := m.server.Env.Store.Load("shop")
	if err != nil {
		return err
	}
	m.engine.Behave(func(s engine.Spec) memory.Behaviour {
		if s.Release > a.State.Current && (typ == "*" || s.Type == typ) {
			return memory.Behaviour{Exits: true, Code: 1}
		}
		return behaviour(s)
	})
	failed := m.pushTo(ctx, "shop", old, next, event.Log{})
	m.engine.Behave(behaviour)
	if failed == nil {
		return errors.New("it was not rejected")
	}
	gone, err := m.server.DropProvisional(ctx, "shop", event.Log{})
	if gone || err != nil {
		return errors.Join(failed, err)
	}
	return nil
}
