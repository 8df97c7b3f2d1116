package proxy_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/proxy"
)

// TestBuffers: sizes that nobody set follow those that somebody set, so that nginx
// accepts every value that is accepted here.
func TestBuffers(t *testing.T) {
	const k = 1 << 10
	for _, c := range []struct {
		first, all, busy string
		want             proxy.Buffers
	}{
		{"", "", "", proxy.Buffers{First: 64 * k, Count: 8, Size: 16 * k, Busy: 64 * k}},
		{"8k", "", "", proxy.Buffers{First: 8 * k, Count: 8, Size: 16 * k, Busy: 16 * k}},
		{"256k", "", "", proxy.Buffers{First: 256 * k, Count: 17, Size: 16 * k, Busy: 256 * k}},
		{"", "8 8k", "", proxy.Buffers{First: 56 * k, Count: 8, Size: 8 * k, Busy: 56 * k}},
		{"", "2 4k", "", proxy.Buffers{First: 4 * k, Count: 2, Size: 4 * k, Busy: 4 * k}},
		{"", "", "16k", proxy.Buffers{First: 16 * k, Count: 8, Size: 16 * k, Busy: 16 * k}},
		{"", "", "10k", proxy.Buffers{First: 10 * k, Count: 8, Size: 10 * k, Busy: 10 * k}},
		{"", "", "1m", proxy.Buffers{First: 64 * k, Count: 65, Size: 16 * k, Busy: 1024 * k}},
		{"8k", "8 8k", "16k", proxy.Buffers{First: 8 * k, Count: 8, Size: 8 * k, Busy: 16 * k}}, // Dokku's defaults
	} {
		s := proxy.Settings{Properties: map[string]string{"proxy-buffer-size": c.first, "proxy-buffers": c.all, "proxy-busy-buffers-size": c.busy}}
		c.want.File = 1024 * k
		if got, err := s.Buffers(); err != nil || got != c.want {
			t.Errorf("%q %q %q: %+v, %v; want %+v", c.first, c.all, c.busy, got, err, c.want)
		}
	}
	for _, c := range []struct{ first, all, busy, why string }{
		{"64k", "", "16k", "invalid proxy-busy-buffers-size 16k: give at least"},
		{"", "8 8k", "4k", "invalid proxy-busy-buffers-size 4k: give at least"},
		{"64k", "8 8k", "", `invalid proxy-buffers "8 8k": all but one of them must hold`},
		{"", "4 8k", "32k", `invalid proxy-buffers "4 8k": all but one of them must hold`},
	} {
		s := proxy.Settings{Properties: map[string]string{"proxy-buffer-size": c.first, "proxy-buffers": c.all, "proxy-busy-buffers-size": c.busy}}
		if got, err := s.Buffers(); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%q %q %q: %+v, %v; want an error with %q", c.first, c.all, c.busy, got, err, c.why)
		}
	}
}

// TestTemporaryFile: a size that nginx would refuse beside the others is refused, and the default
// follows them.
func TestTemporaryFile(t *testing.T) {
	for _, c := range []struct {
		first, file string
		want        int64
		why         string
	}{
		{"2m", "", 2 << 20, ""},
		{"", "0", 0, ""},
		{"", "100m", 100 << 20, ""},
		{"2m", "1m", 0, "invalid proxy-max-temp-file-size 1m: give 0, or at least proxy-buffer-size and one of proxy-buffers, 2097152"},
	} {
		s := proxy.Settings{Properties: map[string]string{"proxy-buffer-size": c.first, proxy.MaxTempFile: c.file}}
		got, err := s.Buffers()
		if c.why == "" && (err != nil || got.File != c.want) || c.why != "" && (err == nil || err.Error() != c.why) {
			t.Errorf("%q %q: %d, %v; want %d, %s", c.first, c.file, got.File, err, c.want, c.why)
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"60": time.Minute, "60s": time.Minute, "1m30s": 90 * time.Second, "1.5s": 1500 * time.Millisecond, "500ms": 500 * time.Millisecond,
		"2h": 2 * time.Hour, "1d": 24 * time.Hour, "0": 0, "0s": 0,
	} {
		if got, err := proxy.ParseTime(text); err != nil || got != want {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "s", "-1s", "+1s", "1 s", "1s;", "1x", "d", "1.5d", "99999999999d", "1e3"} {
		if got, err := proxy.ParseTime(text); err == nil {
			t.Errorf("%q is %s", text, got)
		}
	}
}

func TestParsePrefixes(t *testing.T) {
	prefix := netip.MustParsePrefix
	for text, want := range map[string][]netip.Prefix{
		"":                                     nil,
		"127.0.0.1":                            {prefix("127.0.0.1/32")},
		"::1":                                  {prefix("::1/128")},
		"::ffff:10.0.0.1":                      {prefix("10.0.0.1/32")},
		"10.0.0.0/8, fd00::/8":                 {prefix("10.0.0.0/8"), prefix("fd00::/8")},
		"192.0.2.0/24 10.0.0.0/8 192.0.2.0/24": {prefix("10.0.0.0/8"), prefix("192.0.2.0/24")},
	} {
		if got, err := proxy.ParsePrefixes(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"10.0.0.0/33", "10.0.0.1/8", "0.0.0.0/0", "::/0", "host", "10.0.0.0/8;", "fe80::1%eth0", "::ffff:10.0.0.0/104", "10.0.0.0-10.0.0.9"} {
		if got, err := proxy.ParsePrefixes("127.0.0.1 " + text); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

// FuzzProperty: no accepted value has a character that means something to nginx.
func FuzzProperty(f *testing.F) {
	for i, p := range proxy.Properties {
		f.Add(i, p.Default)
	}
	for _, v := range []string{"1;", "a\n", "/a.log;", "$host", "[::1]", "8 8k;", "60s}", "off "} {
		f.Add(0, v)
	}
	f.Fuzz(func(t *testing.T, i int, value string) {
		p := proxy.Properties[int(uint(i)%uint(len(proxy.Properties)))]
		if p.Check(value) != nil {
			return
		}
		special := "\n\r\t\x00;{}#\"'\\ $*?"
		switch {
		case p.Name == "proxy-buffers":
			special = strings.Replace(special, " ", "", 1)
		case strings.HasPrefix(p.Name, "x-forwarded-"): // of a closed list
			special = strings.Replace(special, "$", "", 1)
		}
		if value == "" || strings.ContainsAny(value, special) {
			t.Errorf("%s accepts %q", p.Name, value)
		}
	})
}
