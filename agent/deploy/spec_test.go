package deploy

import (
	"fmt"
	"net/netip"
	"testing"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// TestMountsOfContainers: a mount of one process type or one phase is in no other container.
func TestMountsOfContainers(t *testing.T) {
	r := &app.Release{ContainerOptions: app.ContainerOptions{Mounts: []app.Mount{
		{Source: "everywhere", Target: "/a"},
		{Source: "web-only", Target: "/b", ProcessType: "web"},
		{Source: "deploys", Target: "/c", Phase: app.MountDeploy},
		{Source: "one-offs", Target: "/d", Phase: app.MountRun},
	}}}
	for _, test := range []struct {
		kind engine.Kind
		typ  string
		want string
	}{
		{engine.KindDeploy, "web", "everywhere web-only deploys"},
		{engine.KindDeploy, "worker", "everywhere deploys"},
		{engine.KindRelease, "release", "everywhere deploys"},
		{engine.KindRun, "run", "everywhere one-offs"},
		{engine.KindCron, "cron", "everywhere one-offs"},
	} {
		s := engine.Spec{Kind: test.kind, Type: test.typ}
		if err := ApplyOptions(app.View{App: &app.App{Name: "hello"}}, &s, r); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, m := range s.Mounts {
			got += " " + m.Source
		}
		if got != " "+test.want {
			t.Errorf("%s %s: mounts%s, want %s", test.kind, test.typ, got, test.want)
		}
	}
}

// TestStartCommand: a command of the config, which nothing has checked, is named with what corrects it.
func TestStartCommand(t *testing.T) {
	v := app.View{App: &app.App{Name: "hello"}}
	for command, want := range map[string]string{
		"./server --quick": "",
		"./server 'quick":  "cannot read the command \"./server 'quick\": column 10: reached EOF without closing quote `'`; correct web's start command: dokku ps:set hello start-cmd COMMAND, or DOKKU_START_CMD in its config",
	} {
		_, err := spec(v, &app.Release{StartCommand: command}, app.Process{Type: "web", Index: 1}, "hello.web.1", netip.Addr{})
		if got := fmt.Sprint(err); err == nil && want != "" || err != nil && got != want {
			t.Errorf("%s: %s", command, got)
		}
	}
}
