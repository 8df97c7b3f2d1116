package remote

import (
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"https://example.com/a/b.git":                 "https example.com https://example.com/a/b.git",
		"https://token@example.com:8443/a":            "https example.com:8443 https://example.com:8443/a",
		"http://u:secret@[2001:db8::1]:80/a":          "http [2001:db8::1]:80 http://[2001:db8::1]:80/a",
		"ssh://git@example.com:2222/a/b.git":          "ssh example.com:2222 ssh://git@example.com:2222/a/b.git",
		"ssh://git:secret@example.com/a":              "ssh example.com ssh://example.com/a",
		"git@example.com:a/b.git":                     "ssh example.com git@example.com:a/b.git",
		"example.com:a":                               "ssh example.com example.com:a",
		"git://example.com/a":                         "git example.com git://example.com/a",
		"--upload-pack=touch /tmp/x":                  "it has a space",
		"--upload-pack=x":                             "it is not the address of a repository on another server",
		"-oProxyCommand=x:a":                          "it is not the address of a repository on another server",
		"-x@example.com:a":                            "it is not the address of a repository on another server",
		"git@example.com:-oProxyCommand=x":            "it is not the address of a repository on another server",
		"ssh://-oProxyCommand=x/a":                    "it names no host",
		"ssh://-x@example.com/a":                      "it names no host",
		"https:///a":                                  "it names no host",
		"ext::sh -c touch% /tmp/x":                    "it has a space",
		"ext::sh":                                     "it is not the address of a repository on another server",
		"fd::17":                                      "it is not the address of a repository on another server",
		"ext://x/a":                                   `the protocol "ext" is not supported`,
		"file:///etc":                                 "file: names a folder of this server",
		"/home/dokku/other":                           "it is not the address of a repository on another server",
		"C:/repo":                                     "ssh C C:/repo",
		"https://example.com/a\nhttps://example.org/": "it has a space or a control character",
		"": "it is not the address of a repository on another server",
	} {
		a, err := Parse(text)
		got := strings.Join([]string{a.Scheme, a.Host, a.Shown}, " ")
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.HasPrefix(got, want+": give an address of") && !strings.HasPrefix(got, want+" or a control")) {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}

// TestResolve has what git itself makes of these (t/t0060-path-utils.sh in git).
func TestResolve(t *testing.T) {
	for _, c := range []struct{ base, relative, want string }{
		{"https://example.com/a/b.git", "../c.git", "https://example.com/a/c.git"},
		{"https://example.com/a/b.git/", "../c.git", "https://example.com/a/c.git"},
		{"https://example.com/a/b.git", "./c", "https://example.com/a/b.git/c"},
		{"https://example.com/a/b.git", "../../x/c", "https://example.com/x/c"},
		{"https://example.com/a/b.git", "../../../c", ""},
		{"ssh://git@example.com:22/a/b", "../c", "ssh://git@example.com:22/a/c"},
		{"git@example.com:a/b.git", "../c.git", "git@example.com:a/c.git"},
		{"git@example.com:b.git", "../c.git", "git@example.com:c.git"},
		{"git@example.com:b.git", "../../c.git", ""},
		{"git@example.com:/srv/b.git", "../c.git", "git@example.com:/srv/c.git"},
		{"git@example.com:b", "../-oProxyCommand=x", "git@example.com:-oProxyCommand=x"}, // Parse refuses it
	} {
		got, err := Resolve(c.base, c.relative)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s with %s is %q, %v, want %q", c.base, c.relative, got, err, c.want)
		}
	}
}
