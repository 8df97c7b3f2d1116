package app_test

import (
	"fmt"
	"testing"

	"dokku/agent/app"
)

func TestChanges(t *testing.T) {
	one := &app.Release{Number: 1, Revision: "1111111aaa", Image: "i1", Port: 5000, Builder: "dockerfile",
		Config: map[string]string{"A": "secret", "B": "1"}, Files: map[string]string{"Procfile": "web: a", "CHECKS": "/ x"}}
	two := &app.Release{Number: 2, Revision: "2222222bbb", Image: "i2", Port: 80, Builder: "herokuish",
		Config: map[string]string{"A": "other", "C": "1"}, Files: map[string]string{"Procfile": "web: b", "DOKKU_SCALE": "web=2"}}
	two.Mounts = []app.Mount{{}}
	again := *one
	again.Image, again.Of, again.StartCommand = "i3", 1, "serve"
	for _, test := range []struct {
		before, after *app.Release
		want          string
	}{
		{nil, one, "[code 1111111]"},
		{one, one, "[]"},
		{one, two, "[code 1111111 to 2222222 config A changed, B removed, C added Procfile changed DOKKU_SCALE added CHECKS removed " +
			"builder dockerfile to herokuish port 5000 to 80 storage added]"},
		{one, &again, "[rollback to v1 image built again start command added]"},
	} {
		if got := fmt.Sprint(app.Changes(test.before, test.after)); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
