package nginx

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/proxy"
)

// structure reads a file as nginx does (ngx_conf_read_token): for each directive its depth, its
// name and the number of its parameters.
func structure(text string) (list []string, err error) {
	var words []string
	depth := 0
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case strings.IndexByte(" \t\r\n", c) >= 0:
			i++
		case c == '#':
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				end = len(text) - i
			}
			i += end
		case c == ';' || c == '{':
			if len(words) == 0 {
				return nil, fmt.Errorf("%c after no word", c)
			}
			list = append(list, fmt.Sprint(depth, " ", words[0], " ", len(words)-1, string(c)))
			if words = nil; c == '{' {
				depth++
			}
			i++
		case c == '}':
			if depth--; depth < 0 || len(words) > 0 {
				return nil, fmt.Errorf("} after %q at depth %d", words, depth)
			}
			i++
		default:
			end, err := wordEnd(text, i)
			if err != nil {
				return nil, err
			}
			words = append(words, text[i:end])
			i = end
		}
	}
	if depth != 0 || len(words) > 0 {
		return nil, fmt.Errorf("it ends at depth %d after %q", depth, words)
	}
	return list, nil
}

// wordEnd returns where the word ends that begins at i.
func wordEnd(text string, i int) (int, error) {
	if quote := text[i]; quote == '"' || quote == '\'' {
		for i++; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case quote:
				if i+1 < len(text) && strings.IndexByte(" \t\r\n;{)", text[i+1]) < 0 {
					return 0, fmt.Errorf("%q after a quote", text[i+1])
				}
				return i + 1, nil
			}
		}
		return 0, fmt.Errorf("a quote is open")
	}
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '$' && i+1 < len(text) && text[i+1] == '{':
			i++
		case strings.IndexByte(" \t\r\n;{", c) >= 0:
			return i, nil
		}
	}
	return len(text), nil
}

// fuzzed is a route with values of anybody's in all places that have some.
func fuzzed(app, domain, dir, id string, property int, value string) proxy.Route {
	return proxy.Route{App: app, Domains: []string{domain}, Upstreams: addresses("172.30.1.2:5000"), Challenge: id,
		Redirects: []proxy.Redirect{{From: domain, To: "www." + domain, Code: 301}},
		Settings: proxy.Settings{ClientMaxBodySize: "1m", ReadTimeout: time.Minute, SendTimeout: time.Minute, IncludeDir: dir,
			Properties: map[string]string{proxy.Properties[property].Name: value}}}
}

const aThumbprint = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// allowedStructures are the structures that a file may have whatever its values are.
func allowedStructures(t *testing.T, property int) (all [][]string) {
	for _, value := range []string{"", everySetting.Properties[proxy.Properties[property].Name], "off", "on", "true", "0", "1m"} {
		r := fuzzed("a", "a.example.com", "/a", aThumbprint, property, value)
		if value == "" {
			r.Settings.Properties = nil
		}
		file := renderApp(r, unset(80, false))
		if string(file) == refusedFile {
			continue // 1m where only a time has a meaning
		}
		s, err := structure(string(file))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// FuzzConfiguration: no value adds a directive, a parameter or a block to the file of an app, even if
// nothing has checked it before it comes to the templates; nginx accepts the file of each
// route that was checked.
func FuzzConfiguration(f *testing.F) {
	names := map[string]int{}
	for i, p := range proxy.Properties {
		names[p.Name] = i
		f.Add("hello", "hello.example.com", "/home/dokku/hello/nginx.conf.d", aThumbprint, i, everySetting.Properties[p.Name])
		f.Add("hello", "_", "", "", i, "a; } server {")
	}
	for _, v := range []string{"a;", "a b", "a\nb", "a}", "{", `"`, "'", "#", "\\", "$host", "${host}", "~^a", "~*a", "", "\x00", "ä", "a\u2028b", ";", "a\tb", "a\rb"} {
		f.Add(v, v, v, v, names["error-pages"], v)
		f.Add("a", "a", "/a", aThumbprint, names["x-forwarded-for-value"], v)
	}
	f.Add("a", "a", "/a", aThumbprint, names[proxy.MaxTempFile], "1")
	pending, count := map[string][]byte{}, 0
	usual := map[int][][]string{}
	f.Fuzz(func(t *testing.T, app, domain, dir, id string, property int, value string) {
		property = int(uint(property) % uint(len(proxy.Properties)))
		if value == "" {
			return // not a value, and never stored
		}
		r := fuzzed(app, domain, dir, id, property, value)
		if domain == proxy.CatchAll {
			r.Redirects = nil
		}
		file := string(renderApp(r, unset(80, false)))
		if file != refusedFile {
			s, err := structure(file)
			if err != nil {
				t.Fatalf("%v:\n%s", err, file)
			}
			if usual[property] == nil {
				usual[property] = allowedStructures(t, property)
			}
			holds := func(want []string) bool { return slices.Equal(s, want) }
			if domain != proxy.CatchAll && dir != "" && id != "" && !slices.ContainsFunc(usual[property], holds) {
				t.Fatalf("%q, a value of %s: another structure than usual:\n%s\n%s", value, proxy.Properties[property].Name, strings.Join(s, "\n"), file)
			}
		}
		checked, err := r.Checked()
		if err != nil {
			return
		}
		whole := renderApp(checked, unset(80, false))
		if string(whole) == refusedFile {
			t.Fatalf("a route that was checked is refused: %+v", checked)
		}
		if strings.HasSuffix(proxy.Properties[property].Name, "-log-path") || proxy.Properties[property].Name == "access-log-format" {
			return // nginx would make the file, or not know the format
		}
		if pending[checked.App], count = whole, count+1; len(pending) < 20 && count < 200 {
			return
		}
		putFiles(t, pending, checked)
		pending, count = map[string][]byte{}, 0
	})
}

// putFiles has nginx test the files of apps, beside those that all share.
func putFiles(t *testing.T, files map[string][]byte, r proxy.Route) {
	t.Helper()
	dir := t.TempDir()
	first, last := shared("abcdefghijklmnopqrstuvwxyz", []string{r.App, "other"}, []proxy.Route{r, r}, unset(80, false))
	all := map[string][]byte{serverFile: first, unknownFile: last}
	taken := map[string]bool{}
	for app, file := range files {
		// Of two apps with one domain, nginx warns.
		domain, _, _ := strings.Cut(strings.SplitN(string(file), "server_name ", 2)[1], ";")
		if !taken[domain] {
			all[app+".conf"], taken[domain] = file, true
		}
	}
	for name, file := range all {
		if err := os.WriteFile(filepath.Join(dir, name), file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	nginxAccepts(t, dir)
}

// TestEscape: a value that is no word of nginx's never reaches a file, whatever its type is.
func TestEscape(t *testing.T) {
	for _, v := range []any{"", "a b", "a;", "a{", "a}", "a\n", `a"`, "a'", "a#b", `a\`, "$host", "~a", ":a", "ä", "\x00", 1.5, nil, []byte("a"), []string{"a"},
		sound("a;"), "a" + sound("$b") + "c", lines([]string{"ok.example.com", "~^.*$"}), view{}, true} {
		if got, err := escape(v); err == nil {
			t.Errorf("%#v is written as %q", v, got)
		}
	}
	for _, v := range []any{"*.example.com", "/home/dokku/a", "@dokku_404", 80, syntax(`"~^"`), "http://127.0.0.1:80/x", "10r/s"} {
		if got, err := escape(v); err != nil || got != fmt.Sprint(v) {
			t.Errorf("%#v is written as %q, %v", v, got, err)
		}
	}
	r := fuzzed("a", "a.example.com", "/a", aThumbprint, 0, "x")
	r.Challenge = "x;} server { return 200"
	if got := string(renderApp(r, unset(80, false))); got != refusedFile {
		t.Errorf("a value that nothing checked is in the file:\n%s", got)
	}
}
