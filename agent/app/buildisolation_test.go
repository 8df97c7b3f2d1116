package app

import (
	"fmt"
	"slices"
	"testing"
)

// TestBuilderLimits: the limits of the server's own builder are those that are set, or parts of the
// host's.
func TestBuilderLimits(t *testing.T) {
	const giga = 1 << 30
	for _, c := range []struct {
		set  map[string]string
		want string
	}{
		{nil, "{8000000000 100000000000 3 4096 [] [docker/dockerfile docker/dockerfile-upstream ghcr.io/railwayapp/railpack-frontend]}"},
		{map[string]string{PropIsolationMemory: "2g", PropIsolationCache: "20%", PropIsolationCPUs: "1.5", PropIsolationPIDs: "99", PropIsolationNetworks: "10.1.2.3/8, 192.168.7.9", PropSyntax: "x/y"},
			"{2147483648 200000000000 1.5 99 [10.0.0.0/8 192.168.7.9/32] [docker/dockerfile docker/dockerfile-upstream ghcr.io/railwayapp/railpack-frontend x/y]}"},
	} {
		got, err := Settings{Build: c.set}.BuilderLimits(16e9, 1e12, 4)
		if text := fmt.Sprint(got); err != nil || text != c.want {
			t.Errorf("%v: %s, %v, want %s", c.set, text, err, c.want)
		}
	}
	for name, value := range map[string]string{PropIsolationMemory: "1", PropIsolationCPUs: "200%", PropIsolationPIDs: "-1", PropIsolationNetworks: "all", PropSyntax: "!"} {
		if got, err := (Settings{Build: map[string]string{name: value}}).BuilderLimits(16*giga, giga, 4); err == nil {
			t.Errorf("%s %s gives %v", name, value, got)
		}
	}
}

// TestLocalImages: the server allows images of its engine to all apps, and those of an app to
// another one.
func TestLocalImages(t *testing.T) {
	t.Parallel()
	v := View{&App{Name: "hello", State: State{Build: map[string]string{PropAllowFrom: "shop,base"}}}, Settings{Build: map[string]string{PropIsolationImages: "busybox:1"}}}
	if got, want := v.LocalImages(), []string{"busybox:1", "dokku/shop", "dokku/base"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestOwnBuilder: the app's setting wins over the server's, and both over the keys; the reason says which it is,
// and reports agree.
func TestOwnBuilder(t *testing.T) {
	for _, c := range []struct {
		app, server string
		keys        map[string]bool
		own         bool
		why         string
	}{
		{"", "", nil, false, "the default"},
		{"", "", map[string]bool{"other": true}, false, "the default"},
		{"", "", map[string]bool{"hello": true}, true, "a deployer's key is for the app"},
		{"", IsolationEngine, map[string]bool{"hello": true}, false, "builder:set --global build-isolation"},
		{IsolationEngine, "", map[string]bool{"hello": true}, false, "builder:set hello build-isolation"},
		{"", IsolationOwn, nil, true, "builder:set --global build-isolation"},
		{IsolationEngine, IsolationOwn, nil, false, "builder:set hello build-isolation"},
		{IsolationOwn, "", nil, true, "builder:set hello build-isolation"},
	} {
		v := View{&App{Name: "hello", State: State{Build: map[string]string{PropIsolation: c.app}}}, Settings{Build: map[string]string{PropIsolation: c.server}, Deployed: c.keys}}
		own, why := v.OwnBuilder()
		if own != c.own || why != c.why || (v.BuildProperty(PropIsolation) == IsolationOwn) != own {
			t.Errorf("%q, %q, %v: %v, %q, reported as %s", c.app, c.server, c.keys, own, why, v.BuildProperty(PropIsolation))
		}
	}
}
