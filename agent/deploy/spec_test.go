package deploy

import (
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
