package engine

import (
	"errors"
	"strings"
	"testing"
)

// TestGroupNames: a swarm takes every name of a group and an overlay, and they are told apart.
func TestGroupNames(t *testing.T) {
	spec := func(app string, first int) Spec {
		return Spec{App: app, Type: "web", Attempt: "0f3a", Index: first + 1, Placement: &Placement{First: first}}
	}
	long := strings.Repeat("a", 63)
	names := map[string]bool{}
	for _, name := range []string{spec("shop", 0).GroupName(), spec("shop", 4).GroupName(), spec("a.b", 0).GroupName(), spec("a-b", 0).GroupName(),
		spec(long, 0).GroupName(), spec(long, 3).GroupName(), OverlayName("shop"), OverlayName("a.b"), OverlayName("a-b"), OverlayName("a-"), OverlayName(long)} {
		if len(name) > 63 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || names[name] || strings.HasSuffix(name, "-") || strings.HasSuffix(name, "_") {
			t.Errorf("%s is no name, or not its own", name)
		}
		names[name] = true
	}
	for _, name := range []string{"shop_web_0f3a", "shop_web_0f3a_4", "dokku_shop", "a-b_web_0f3a"} {
		if !names[name] {
			t.Errorf("no group or network has the name %s: %v", name, names)
		}
	}
}

// TestPlaceable: what no swarm can start is named.
func TestPlaceable(t *testing.T) {
	good := func() Spec {
		return Spec{App: "shop", Kind: KindDeploy, Type: "web", Index: 5, Name: "shop.web.5", Image: "sha256:1", Placement: &Placement{First: 4, Image: "r/shop@sha256:1"}}
	}
	s := good()
	if err := s.Check(); err != nil || s.Slot() != 2 || s.Members() != 2 {
		t.Errorf("slot %d of %d, %v", s.Slot(), s.Members(), err)
	}
	labels := s.Labels()
	labels[LabelDyno] = ""
	if !s.InGroup(labels) {
		t.Errorf("its group has the labels %v", labels)
	}
	labels[LabelRelease] = "9"
	if s.InGroup(labels) {
		t.Error("it is of the group of another release")
	}
	for want, change := range map[string]func(*Spec){
		"no run container":           func(s *Spec) { s.Kind = KindRun },
		"no image":                   func(s *Spec) { s.Placement.Image = "" },
		"a group that begins with 6": func(s *Spec) { s.Placement.First = 6 },
		"a port of the host":         func(s *Spec) { s.HostPort = 80 },
		"/var/lib/shop":              func(s *Spec) { s.Mounts = []Mount{{Source: "/var/lib/shop", Target: "/data"}} },
		"terminal":                   func(s *Spec) { s.TTY = true },
		"swap":                       func(s *Spec) { s.Limits.MemorySwap = 1 },
		"/dev/fuse":                  func(s *Spec) { s.Options.Devices = []string{"/dev/fuse"} },
	} {
		s := good()
		change(&s)
		if err := s.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	if s.Image = ""; !errors.Is(s.Check(), ErrNoImage) {
		t.Errorf("got %v", s.Check())
	}
}
