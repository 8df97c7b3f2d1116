package deploy

import (
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/event"
)

// TestDetectPort: the first port of the Dockerfile that the image has wins. The image's
// own list has no order.
func TestDetectPort(t *testing.T) {
	for _, c := range []struct {
		ordered, has []int
		want         int
	}{
		{[]int{8080, 2222}, []int{2222, 8080}, 8080},
		{[]int{9229, 3000}, []int{3000, 9229}, 9229},
		{[]int{8080}, []int{80, 8080}, 8080}, // the base image exposes 80
		{[]int{7000, 8080}, []int{80, 8080}, 8080},
		{[]int{7000}, []int{80, 8080}, 80},
		{nil, []int{80, 443}, 80},
		{[]int{7000}, nil, 5000},
		{nil, nil, 5000},
	} {
		if got := detectPort(c.ordered, c.has); got != c.want {
			t.Errorf("%v of %v: %d, want %d", c.ordered, c.has, got, c.want)
		}
	}
}

// TestHintPorts: of several ports the push names the one that web has.
func TestHintPorts(t *testing.T) {
	for _, c := range []struct {
		has   []int
		ports []app.PortMap
		want  string
	}{
		{[]int{3000, 9229}, nil, "-----> The image exposes 2 ports: web listens on 9229. If it is 3000 instead: dokku ports:set shop http:80:3000\n"},
		{[]int{9229}, nil, ""},
		{nil, nil, ""},
		{[]int{3000, 9229}, []app.PortMap{{Scheme: "http", Host: 80, Container: 9229}}, ""},
	} {
		var printed strings.Builder
		term := event.NewTerminal(&printed, &printed, false)
		x := &Session{App: &app.App{Name: "shop", State: app.State{Ports: c.ports}}, Log: event.New(term)}
		hintPorts(x, &app.Release{Port: 9229, Detected: 9229}, c.has)
		term.Close()
		if printed.String() != c.want {
			t.Errorf("%v: printed %q, want %q", c.has, printed.String(), c.want)
		}
	}
}
