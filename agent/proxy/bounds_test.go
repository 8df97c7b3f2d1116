package proxy_test

import (
	"testing"

	"dokku/agent/proxy"
)

// An operator let visitors send bodies of any size, which fill the disk that all apps share, or had nginx hold gigabytes
// of a response in memory.
func TestBoundsOfOperators(t *testing.T) {
	for _, c := range []struct{ name, value, server, most string }{
		{"client-max-body-size", "100m", "", ""},
		{"client-max-body-size", "101m", "", "100m"},
		{"client-max-body-size", "0", "", "100m"},
		{"client-max-body-size", "900g", "2g", "2g"},
		{"client-max-body-size", "2048m", "2g", ""},
		{"client-max-body-size", "50m", "1m", ""},
		{"client-max-body-size", "0", "0", ""},
		{"proxy-buffer-size", "1m", "", ""},
		{"proxy-buffer-size", "16m", "", "1m"},
		{"proxy-busy-buffers-size", "2m", "", "1m"},
		{"proxy-buffers", "64 16k", "", ""},
		{"proxy-buffers", "1024 16m", "", "1m"},
		{"proxy-buffers", "1024 16m", "1024 16m", ""},
		{"keepalive-timeout", "24h", "", ""},
	} {
		got, want := "", ""
		if err := proxy.CheckBounded(c.name, c.value, c.server); err != nil {
			got = err.Error()
		}
		if c.most != "" {
			want = `"` + c.value + `" is more than ` + c.most + ", the most that an operator's key may set: ask an admin to run it"
		}
		if got != want {
			t.Errorf("%+v\n got %s\nwant %s", c, got, want)
		}
	}
}
