package scale

import (
	"slices"
	"strings"
	"testing"
)

// fails reports an error, which has to say something and name the file.
func fails(t *testing.T, file string, err error) bool {
	t.Helper()
	if err != nil && !strings.HasPrefix(err.Error(), file) {
		t.Errorf("error %q does not name %s", err, file)
	}
	return err != nil
}

func FuzzParseProcfile(f *testing.F) {
	for _, s := range []string{"web: a\nworker: b # c", "release: x\r\n", "\xff\xfew\x00", "<<<<<<< HEAD=0", "web: 'a // b'", "web:", "// x\nweb : a"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := ParseProcfile(src)
		if fails(t, procfileName, err) {
			return
		}
		for _, proc := range p {
			if badType(proc.Type) != "" || proc.Command == "" || strings.ContainsAny(proc.Command, "\x00\n\r") || proc.Line < 1 {
				t.Errorf("%+v", proc)
			}
			if first, _ := p.Lookup(proc.Type); first.Line != proc.Line {
				t.Errorf("%s twice", proc.Type)
			}
		}
	})
}

func FuzzParseDokkuScale(f *testing.F) {
	for _, s := range []string{"web=2\nworker=1\n", "web: 1", "web=1 worker=8", "web=08 # c", "web=99999999999999999999", "web=-1", "\xef\xbb\xbfweb = 1\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		d, err := ParseDokkuScale(src, 0)
		if fails(t, dokkuScaleName, err) {
			return
		}
		if d != nil && len(d) == 0 {
			t.Error("empty, not nil")
		}
		for _, c := range d {
			if badType(c.Type) != "" || c.Count < 0 || c.Count > DefaultMax || c.Line < 1 {
				t.Errorf("%+v", c)
			}
		}
	})
}

func FuzzParseAppJSON(f *testing.F) {
	for _, s := range []string{`{"formation": {"web": {"quantity": 2}}}`, "// x\n{}", `{"healthchecks": {"web": [{"path": "/"}]}}`,
		`{"formation": {"web": {"quantity": "1"}}}`, "{", "[1,[2", `{"a":1,"a":2}`, `"x"`, `{"scripts":{"dokku":{"predeploy":"a"}}} x`,
		`{"Formation": {"web": {"quantity": 1}}}`, `{"Formation": {}, "formation": {}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		a, err := ParseAppJSON(src)
		if fails(t, appJSONName, err) {
			return
		}
		for typ, q := range a.Formation {
			if badType(typ) != "" || q.Quantity != nil && *q.Quantity < 0 || q.Line < 1 {
				t.Errorf("%s: %+v", typ, q)
			}
		}
	})
}

func FuzzCommand(f *testing.F) {
	for _, s := range []string{"gunicorn -b :$PORT", "a && b", "a $(id)", "A=1 b", "a 'b", "a ${PORT:-$(id)}", "a {1..9}", "a \"$(<x)\"", "a ~root", "a $((x=1))", "a b:c()", "()0", "() { a; }", "a && () b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, command string) {
		argv, shell, err := Command(command, lookup)
		if err != nil {
			return
		}
		text := planLine(command).text
		if shell && (argv[0] != "/bin/sh" || !slices.Contains(argv, text)) {
			t.Errorf("the shell gets %q", argv)
		}
		if strings.ReplaceAll(text, "exec ", "") != strings.ReplaceAll(command, "exec ", "") {
			t.Errorf("the line became %q", text)
		}
		if _, plain := unreadable(command, 1); !plain && !readable(text) {
			t.Errorf("no shell can parse %q", text)
		}
		if !shell && (len(argv) == 0 || argv[0] == "") {
			t.Errorf("nothing to run in %q", argv)
		}
	})
}

func readable(line string) bool {
	_, err := simple(line)
	return err == nil
}

func FuzzParseCounts(f *testing.F) {
	f.Add("web=2")
	f.Add("web")
	f.Add("=1")
	f.Fuzz(func(t *testing.T, arg string) {
		counts, err := ParseCounts([]string{arg}, nil, 0)
		for typ, n := range counts {
			if err != nil || badType(typ) != "" || n < 0 || n > DefaultMax {
				t.Errorf("%s=%d, %v", typ, n, err)
			}
		}
	})
}
