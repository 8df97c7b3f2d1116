package deploy

import "testing"

func TestMemoryFix(t *testing.T) {
	for _, test := range []struct {
		resources map[string]string
		want      string
	}{
		{nil, "It has no memory limit, so the server's memory ran out: start fewer processes, or add memory"},
		{map[string]string{"_default_.limit.memory": "256"}, "Its memory limit is 256 MB; to double it: dokku resource:limit --memory 512 shop"},
		{map[string]string{"_default_.limit.memory": "1g", "web.limit.memory": "64m"},
			"Its memory limit is 64 MB; to double it: dokku resource:limit --memory 128 --process-type web shop"},
		{map[string]string{"_default_.limit.memory": "64", "_default_.limit.memory-swap": "96"},
			"Its memory limit is 64 MB; to double it: dokku resource:limit --memory 128 --memory-swap 192 shop"},
		{map[string]string{"_default_.limit.memory": "6291457b"}, "Its memory limit is 7 MB; to double it: dokku resource:limit --memory 13 shop"},
	} {
		if got := MemoryFix("shop", test.resources, "web"); got != test.want {
			t.Errorf("%v:\n got %s\nwant %s", test.resources, got, test.want)
		}
	}
}
