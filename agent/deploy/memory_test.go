package deploy

import (
	"testing"

	"dokku/agent/app"
	"dokku/build/options"
)

func TestMemoryFix(t *testing.T) {
	for _, test := range []struct {
		resources map[string]string
		docker    int64
		want      string
	}{
		{nil, 0, "It has no memory limit, so the server's memory ran out: start fewer processes, or add memory"},
		{map[string]string{"_default_.limit.memory": "256"}, 0, "Its memory limit is 256 MB; to double it: dokku resource:limit --memory 512 shop"},
		{map[string]string{"_default_.limit.memory": "1g", "web.limit.memory": "64m"}, 0,
			"Its memory limit is 64 MB; to double it: dokku resource:limit --memory 128 --process-type web shop"},
		{map[string]string{"_default_.limit.memory": "64", "_default_.limit.memory-swap": "96"}, 0,
			"Its memory limit is 64 MB; to double it: dokku resource:limit --memory 128 --memory-swap 192 shop"},
		{map[string]string{"_default_.limit.memory": "6291457b"}, 0, "Its memory limit is 7 MB; to double it: dokku resource:limit --memory 13 shop"},
		{nil, 32 << 20, "Its memory limit is 32 MB; to double it: dokku resource:limit --memory 64 shop"},
		{map[string]string{"_default_.limit.memory": "64"}, -1, "Its memory limit is 64 MB; to double it: dokku resource:limit --memory 128 shop"},
		{nil, -1, "Its memory limit is 512 MB, the default of this server; to double it: dokku resource:limit --memory 1024 shop"},
	} {
		if test.docker < 0 { // an isolated app
			isolated := app.ContainerOptions{Resources: test.resources, Isolation: &app.Isolation{Version: 1, Pids: 4096, Memory: 512 << 20}}
			if got := MemoryFix("shop", isolated, options.Container{}, "web"); got != test.want {
				t.Errorf("%v:\n got %s\nwant %s", test.resources, got, test.want)
			}
			continue
		}
		if got := MemoryFix("shop", app.ContainerOptions{Resources: test.resources}, options.Container{Memory: test.docker}, "web"); got != test.want {
			t.Errorf("%v:\n got %s\nwant %s", test.resources, got, test.want)
		}
	}
}
