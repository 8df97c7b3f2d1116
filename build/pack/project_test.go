package pack

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/build/source"
)

func TestProject(t *testing.T) {
	for _, c := range []struct{ text, builder, group, env string }{
		{"", "", "", ""},
		{"[_]\nschema-version = \"0.2\"\n[io.buildpacks]\nbuilder = \"a/b:1\"\n[[io.buildpacks.group]]\nid = \"x/y\"\nversion = \"1\"\n[[io.buildpacks.group]]\nuri = \"urn:cnb:builder:x/z\"\n[[io.buildpacks.build.env]]\nname = \"A\"\nvalue = \"1\"\n",
			"a/b:1", "x/y@1 urn:cnb:builder:x/z", "A=1"},
		{"\ufeff[build]\nbuilder = \"old\"\n[[build.buildpacks]]\nid = \"x/y\"\n[[build.env]]\nname = \"B\"\nvalue = \"two words\"\n", "old", "x/y", "B=two words"},
		{"[project]\nname = \"x\"\n[com.example]\nother = 1\n", "", "", ""},
	} {
		var p project
		if err := p.parse(c.text); err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		var group, env []string
		for _, r := range p.group {
			group = append(group, r.String())
		}
		for _, k := range slices.Sorted(maps.Keys(p.env)) {
			env = append(env, k+"="+p.env[k])
		}
		if p.builder != c.builder || strings.Join(group, " ") != c.group || strings.Join(env, " ") != c.env {
			t.Errorf("%q: builder %q, group %q, env %q", c.text, p.builder, group, env)
		}
	}
}

func TestProjectErrors(t *testing.T) {
	for text, want := range map[string]string{
		"[_]\n\nx = oops\n":                     `, line 3: unexpected character U+006F 'o' at start of value; correct it and push again`,
		"[_]\n\n[io.buildpacks]\nbuilder = 1\n": `, line 4: io.buildpacks.builder: the value is of the type integer, and has to be a text in quotes; correct it and push again`,
		"[_]\nschema-version = \"0.2\"\n[[io.buildpacks.build.env]]\nname = \"../x\"\nvalue=\"\"": `: "../x" is not the name of a variable; use letters, digits and _`,
		"[_]\nschema-version = \"0.2\"\n[io.buildpacks]\ninclude = [\"a\"]\nexclude = [\"b\"]\n":  `: it has both include and exclude; remove one of them`,
		"[_]\nschema-version = \"0.2\"\n[[io.buildpacks.pre.group]]\nid = \"a/b\"\n":              `: buildpacks before or after those of the builder (pre, post) are not supported; name all buildpacks of the app in [[io.buildpacks.group]]`,
	} {
		if err := new(project).parse(text); err == nil || err.Error() != want {
			t.Errorf("%q:\n%v\nwant %s", text, err, want)
		}
	}
}

// TestProjectOfTables: 16 kB of tables in tables took the parser 9 s, while the app was locked.
func TestProjectOfTables(t *testing.T) {
	many := func(format string) string {
		var b strings.Builder
		for n := 0; b.Len() < maxProject-100; n++ {
			fmt.Fprintf(&b, format, n)
		}
		return b.String()
	}
	for _, text := range []string{"x=" + strings.Repeat("{a=", maxProject/4), "x=" + strings.Repeat("{a=", maxProject/5) + "1" + strings.Repeat("}", maxProject/5),
		"x=" + strings.Repeat("[", maxProject-10), many("a%d=1\n"), many("[[a%d]]\n"), many("a.b.c.d.e.f%d=1\n"), "x={" + many("a%d=1,") + "z=1}",
		"[" + strings.Repeat("a.", maxProject/3) + "b]\n", "x=\"" + many("\\u0041%d")} {
		begun := time.Now()
		_ = new(project).parse(text)
		if d := time.Since(begun); d > 2*time.Second {
			t.Errorf("%.30q takes %s", text, d)
		}
	}
}

// FuzzProject: no text ends the parser, and an error of a line is in the file.
func FuzzProject(f *testing.F) {
	for _, text := range []string{"", "[_]\nschema-version = \"0.2\"\n[io.buildpacks]\nbuilder = \"a\"\n", "[build]\nenv = [{name=\"A\", value=\"1\"}]\n", "x={a={a=", "[[io.buildpacks.group]]\nid = 1\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxProject {
			return
		}
		err := new(project).parse(text)
		var at *lineError
		if errors.As(err, &at) && (at.line < 1 || at.line > strings.Count(text, "\n")+1) {
			t.Errorf("%q: line %d: %v", text, at.line, err)
		}
	})
}

func TestProjectFiles(t *testing.T) {
	tree := &source.Tree{Files: []source.Entry{{Path: "a.txt", Mode: 0o100644, Size: 1}, {Path: "docs", Mode: 0o040000},
		{Path: "docs/b.md", Mode: 0o100644, Size: 2}, {Path: "src", Mode: 0o040000}, {Path: "src/c.go", Mode: 0o100644, Size: 4}}}
	for _, c := range []struct {
		include, exclude []string
		want             string
		bytes            int64
	}{
		{nil, nil, "a.txt docs docs/b.md src src/c.go", 0},
		{nil, []string{"docs", "*.txt"}, "src src/c.go", 4},
		{nil, []string{"*.md", "!b.md"}, "a.txt docs docs/b.md src src/c.go", 7},
		{[]string{"src/**", "a.txt"}, nil, "a.txt docs src src/c.go", 5},
	} {
		got, err := project{include: c.include, exclude: c.exclude}.files(tree)
		if err != nil {
			t.Fatal(err)
		}
		var paths []string
		for _, e := range got.Files {
			paths = append(paths, e.Path)
		}
		if strings.Join(paths, " ") != c.want || got.Stats.Bytes != c.bytes {
			t.Errorf("%v %v: %s, %d bytes", c.include, c.exclude, paths, got.Stats.Bytes)
		}
	}
	if _, err := (project{path: "project.toml", include: []string{"none"}}).files(tree); err == nil || err.Error() != "project.toml leaves no file for the build; correct its include or exclude" {
		t.Error(err)
	}
	long := strings.Repeat("**/a", 300)
	if _, err := (project{path: "project.toml", exclude: []string{long}}).files(tree); err == nil || !strings.Contains(err.Error(), `has 1200 bytes, more than 1024; write a shorter one`) {
		t.Error(err)
	}
	// Patterns that people write on as many files as a repository may have.
	if err := source.Spent("project.toml", source.Weigh("*"), 100_000_001); err == nil || err.Error() != "project.toml has too many patterns (1) for so many files; remove some" {
		t.Error(err)
	}
}

func TestOrder(t *testing.T) {
	i := builderImage{foundImage: foundImage{name: "a/builder"}, buildpacks: []buildpack{{"heroku/go", "1.0.0"}, {"heroku/nodejs", "3.1.0"}, {"heroku/nodejs", "3.2.0"}}}
	for _, c := range []struct {
		p       project
		setting []string
		want    string
	}{
		{project{}, nil, ""},
		{project{group: []reference{{ID: "heroku/go"}}}, nil, "heroku/go@1.0.0"},
		{project{group: []reference{{ID: "heroku/go"}}}, []string{"https://github.com/heroku/heroku-buildpack-go.git", "heroku/nodejs@3.2.0"}, "heroku/go@1.0.0 heroku/nodejs@3.2.0"},
		{project{group: []reference{{URI: "urn:cnb:builder:heroku/nodejs@3.1.0"}}}, nil, "heroku/nodejs@3.1.0"},
	} {
		got, err := c.p.order(i, c.setting)
		var want []byte
		if c.want != "" {
			want = []byte("[[order]]\n")
			for n, word := range strings.Fields(c.want) {
				id, version, _ := strings.Cut(word, "@")
				if n > 0 {
					want = append(want, '\n')
				}
				want = append(want, "  [[order.group]]\n    id = '"+id+"'\n    version = '"+version+"'\n"...)
			}
		}
		if err != nil || string(got) != string(want) {
			t.Errorf("%v: %v\n%s\nwant\n%s", c.setting, err, got, want)
		}
	}
	for setting, want := range map[string]string{
		"heroku/php":                     "buildpacks:list names the buildpack heroku/php, which the builder image a/builder does not have; it has heroku/go, heroku/nodejs",
		"heroku/nodejs":                  "buildpacks:list names the buildpack heroku/nodejs, of which the builder image a/builder has several versions; name one: heroku/nodejs@3.1.0, heroku/nodejs@3.2.0",
		"heroku/go@2":                    "buildpacks:list names the buildpack heroku/go@2, of which the builder image a/builder has only heroku/go@1.0.0",
		"https://example.com/a/pack.git": "buildpacks:list names the buildpack https://example.com/a/pack.git, which is not in the builder image a/builder; only buildpacks of that image can be used: name one by its id (heroku/go, heroku/nodejs), or choose a builder image that has it",
	} {
		if _, err := (project{}).order(i, []string{setting}); err == nil || err.Error() != want {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
