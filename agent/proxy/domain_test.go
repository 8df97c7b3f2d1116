package proxy_test

import (
	"strings"
	"testing"
	"unicode"

	"dokku/agent/proxy"
)

func TestParseDomain(t *testing.T) {
	for typed, want := range map[string]string{
		"www.example.com":        "www.example.com",
		"WWW.Example.COM":        "www.example.com",
		"*.Example.com":          "*.example.com",
		"_":                      "_",
		"*":                      "_",
		"test-.-example.com":     "test-.-example.com", // as Dokku
		"xn--bcher-kva.example":  "xn--bcher-kva.example",
		"bücher.example":         "xn--bcher-kva.example",
		"BÜCHER.example":         "xn--bcher-kva.example",
		"*.bücher.example":       "*.xn--bcher-kva.example",
		"straße.example":         "xn--strae-oqa.example",
		"例え。テスト":                 "xn--r8jz45g.xn--zckzah",
		"пример.рф":              "xn--e1afmkfd.xn--p1ai",
		"bu\u0308cher.example":   "xn--bcher-kva.example", // composed by the mapping
		"ελληνικά.example":       "xn--hxargifdar.example",
		"\u0130stanbul.example":  "xn--istanbul-o0e.example", // a dotted capital I is no i
		"münchen-ost.example.de": "xn--mnchen-ost-9db.example.de",
	} {
		if got, err := proxy.ParseDomain(typed); err != nil || got != want {
			t.Errorf("%q is %q, %v; want %q", typed, got, err, want)
		}
	}
	for typed, why := range map[string]string{
		"\u212a.example.com":                 `U+212A, which only looks like "k"`, // Kelvin sign
		"www.\u212aeller.example":            `U+212A, which only looks like "keller"`,
		"\uff41bc.example":                   `U+FF41, which only looks like "abc"`,  // fullwidth a
		"\u017fhop.example":                  `U+017F, which only looks like "shop"`, // long s
		"\ufb01x.example":                    `U+FB01, which only looks like "fix"`,  // ligature fi
		"a\u2100.example":                    "cannot be part of an international name",
		"\u00ad.example":                     "",
		"ü_.example":                         "",
		"a b.example":                        "",
		"":                                   "",
		"a..b":                               "",
		"example.com.":                       "leave out the final dot",
		"**":                                 "",
		"*.":                                 "",
		"*._":                                "",
		"a_b.example":                        "",
		"DOKKU-generation.invalid":           "reserved",
		strings.Repeat("ü", 60) + ".example": "",
	} {
		if got, err := proxy.ParseDomain(typed); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q is %q, %v; want an error with %q", typed, got, err, why)
		} else if strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("the error of %q has control characters: %q", typed, err)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, c := range []struct {
		domain, host string
		want         bool
	}{
		{"example.com", "example.com", true},
		{"*.example.com", "a.example.com", true},
		{"*.example.com", "example.com", false},
		{"_", "anything.example", true},
	} {
		if got := proxy.Covers(c.domain, c.host); got != c.want {
			t.Errorf("%s covers %s: %t", c.domain, c.host, got)
		}
	}
}

// FuzzParseDomain: what people type becomes a domain that is checked and stays itself when it is read
// again, or an error that is safe to print.
func FuzzParseDomain(f *testing.F) {
	for _, s := range []string{"example.com", "*", "_", "*.Example.COM", "b\u00fccher.example", "xn--bcher-kva.example", "a.", "a..b", "\u212a.com", "a\u3002b", "\uff41.com",
		"a b", "a;", "${host}", "~^a", "dokku-generation.invalid", "a\x1b[2J", "\u202ea.com", "xn--", "xn--a.xn--b", "\u00df.de", "a\u200db.com", "*.*.a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		d, err := proxy.ParseDomain(typed)
		if err != nil {
			if strings.ContainsFunc(err.Error(), func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
				t.Errorf("the error has control characters: %q", err)
			}
			return
		}
		if err := proxy.CheckDomain(d); err != nil {
			t.Errorf("%q becomes %q: %v", typed, d, err)
		}
		if again, err := proxy.ParseDomain(d); err != nil || again != d {
			t.Errorf("%q becomes %q, and that %q, %v", typed, d, again, err)
		}
		if d != proxy.CatchAll && (strings.Trim(d, "abcdefghijklmnopqrstuvwxyz0123456789.-*") != "" || strings.LastIndex(d, "*") > 0) {
			t.Errorf("%q becomes %q", typed, d)
		}
		if !proxy.Covers(d, strings.Replace(d, "*", "a", 1)) {
			t.Errorf("%q does not cover its own names", d)
		}
	})
}
