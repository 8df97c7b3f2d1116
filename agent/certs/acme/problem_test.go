package acme

import (
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-acme/lego/v5/log"
)

func TestLine(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"a\r\n\tb":                  "a b",
		"\x1b]0;title\x07a\x1b[2Jb": "ab",
		"a\u202eb\u2028c\u200bd":    `a\u202eb c\u200bd`,
		"a\xffb":                    "a\ufffdb",
		"\x1b[A 0":                  "0",
		strings.Repeat("a", 501):    strings.Repeat("a", 497) + "…",
		strings.Repeat("é", 251):    strings.Repeat("é", 248) + "…",
	} {
		if got := line(given); got != want {
			t.Errorf("%q becomes %q, want %q", given, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\x1b[31m\n\u202e" + strings.Repeat("\u00e9", 300))
	f.Fuzz(func(t *testing.T, s string) {
		got := line(s)
		if len(got) > 500 || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f }) || line(got) != got {
			t.Errorf("%q becomes %q", s, got)
		}
	})
}

// lego logs each step of a proof by DNS.
func TestQuiet(t *testing.T) {
	t.Parallel()
	New(Config{})
	if log.Default().Enabled(t.Context(), slog.LevelError) {
		t.Error("lego writes to standard output")
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	c := New(Config{Now: func() time.Time { return now }})
	for _, test := range []struct {
		value, date string
		want        time.Duration // 0: none
	}{
		{"", "", 0},
		{"0", "", 0},
		{"-5", "", 0},
		{" 90 ", "", 90 * time.Second},
		{"2147483647", "", 30 * 24 * time.Hour},
		{"99999999999999999999", "", 30 * 24 * time.Hour},
		{"Mon, 01 Jun 2026 12:05:00 GMT", "", 5 * time.Minute},
		{"Mon, 01 Jun 2026 12:05:00 GMT", "Mon, 01 Jun 2026 12:04:00 GMT", time.Minute},
		{"Mon, 01 Jun 2026 11:00:00 GMT", "", 0},
		{"soon", "", 0},
	} {
		got := c.retryAfter(map[string][]string{"Retry-After": {test.value}, "Date": {test.date}})
		if test.want == 0 && !got.IsZero() || test.want != 0 && !got.Equal(now.Add(test.want)) {
			t.Errorf("%q at %q: %s", test.value, test.date, got)
		}
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		urn    string
		status int
		want   string
	}{
		{"urn:ietf:params:acme:error:rateLimited", 429, "rateLimited"},
		{"urn:acme:error:unauthorized", 403, "unauthorized"},
		{"about:blank", 503, "serverInternal"},
		{"", 429, "rateLimited"},
		{"", 400, "malformed"},
		{"urn:evil:two words", 400, "malformed"},
		{"urn:evil:" + strings.Repeat("a", 41), 400, "malformed"},
	} {
		if got := kindOf(test.urn, test.status); got != test.want {
			t.Errorf("%q with %d is %q, want %q", test.urn, test.status, got, test.want)
		}
	}
}
