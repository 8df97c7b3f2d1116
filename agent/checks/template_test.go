package checks

import (
	"strings"
	"testing"
	"time"
)

func TestExpand(t *testing.T) {
	vars := map[string]string{"HEALTH": "/health", "WORD": "a b", "LINES": "a\nb", "LONG": strings.Repeat("x", maxExpanded/2), "OFF": ""}
	for _, c := range []struct{ src, want, warning string }{
		{"/ {ok}\n", "/ {ok}\n", ""},
		{"WAIT=2\n{{ var \"HEALTH\" }} {{ var \"WORD\" }}\n", "WAIT=2\n/health a b\n", ""},
		{`{{ var "NONE" | default "/up" }} x`, "/up x", ""},
		{`{{ if eq (var "WORD") "a b" }}/yes{{ else }}/no{{ end }}`, "/yes", ""},
		{`{{ if var "OFF" }}/yes{{ end }}/always`, "/always", ""},
		{`{{ $p := var "HEALTH" }}{{ $p }}`, "/health", ""},
		{`{{/* only a comment */}}`, "", ""},
		{"/a\n/ {{name}}\n", "/a\n/ {{name}}\n", "CHECKS:2: cannot fill in the template, and takes the file as it stands: function \"name\" not defined"},
		{"/a\n/ {{ var \"LINES\" }}", "/a\n/ {{ var \"LINES\" }}", "CHECKS:2: cannot fill in the template, and takes the file as it stands: error calling var: LINES has more than one line"},
		{`{{ range 1000000000 }}{{ end }}`, `{{ range 1000000000 }}{{ end }}`, "CHECKS: cannot fill in the template, and takes the file as it stands: \"{{range 1000000000}}{{end}}\" is not read here"},
		{`{{ printf "%100000000d" 1 }}`, `{{ printf "%100000000d" 1 }}`, "CHECKS: cannot fill in the template, and takes the file as it stands: the function printf is not read here"},
		{`{{ if true }}{{ .Root }}{{ end }}`, `{{ if true }}{{ .Root }}{{ end }}`, "CHECKS: cannot fill in the template, and takes the file as it stands: \".Root\" is not read here"},
		{`{{ define "x" }}{{ end }}`, `{{ define "x" }}{{ end }}`, "CHECKS: cannot fill in the template, and takes the file as it stands: define and block are not read here"},
		{`{{ template "CHECKS" }}`, `{{ template "CHECKS" }}`, "CHECKS: cannot fill in the template, and takes the file as it stands: \"{{template \\\"CHECKS\\\"}}\" is not read here"},
		{strings.Repeat(`{{ var "LONG" }}`, 3), strings.Repeat(`{{ var "LONG" }}`, 3), "CHECKS: cannot fill in the template, and takes the file as it stands: the file would have more than 65536 bytes"},
	} {
		got, warnings := Expand([]byte(c.src), func(name string) string { return vars[name] })
		var said []string
		for _, w := range warnings {
			said = append(said, w.String())
		}
		if string(got) != c.want || strings.Join(said, "\n") != c.warning {
			t.Errorf("%.60q:\n got %.80q, %q\nwant %.80q, %q", c.src, got, said, c.want, c.warning)
		}
	}
}

// FuzzExpand: a template ends soon, and the file keeps the numbers of its lines.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{`{{ var "A" }} x`, `{{if var "A"}}/a{{else if not (var "B")}}/b{{end}}`, "{{- var `A` -}}", `{{ $x := var "A" }}{{ $x }}`, "{{/* */}}", `{{with $x}}{{end}}`, "{{"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		start := time.Now()
		out, _ := Expand(src, func(name string) string { return name })
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		if len(out) > max(maxExpanded, len(src)) {
			t.Errorf("%d bytes of %d", len(out), len(src))
		}
	})
}
