package scale

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// corpus holds files of public repositories; it is kept outside the repository
// because they are not ours to ship.
const (
	corpus = "../../shared/corpus"
	golden = "../testdata"
)

// TestCorpus parses real files and compares the results, by file name.
func TestCorpus(t *testing.T) {
	for kind, outcome := range map[string]func([]byte) string{
		"procfile": func(src []byte) string {
			p, err := ParseProcfile(src)
			if err != nil {
				return "error: " + err.Error()
			}
			return procfileText(p) + commandsText(p)
		},
		"dokku_scale": func(src []byte) string {
			d, err := ParseDokkuScale(src, 0)
			return outcomeText(scaleText(d), err)
		},
		"appjson": func(src []byte) string {
			a, err := ParseAppJSON(src)
			return outcomeText(appJSONText(a), err)
		},
	} {
		t.Run(kind, func(t *testing.T) { compareCorpus(t, kind, outcome) })
	}
}

func compareCorpus(t *testing.T, kind string, outcome func([]byte) string) {
	files, err := filepath.Glob(filepath.Join(corpus, kind, "*__*"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpus %s/%s is missing", corpus, kind)
		}
		t.Logf("the corpus %s/%s is missing: nothing was compared", corpus, kind)
		return
	}
	var b strings.Builder
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s\t%s\n", filepath.Base(file), strings.ReplaceAll(outcome(src), "\n", " / "))
	}
	path := filepath.Join(golden, "corpus."+kind+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("%s differs (-update writes it anew):\n%s", path, b.String())
	}
}

func outcomeText(text string, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	return text
}

func procfileText(p Procfile) string {
	var parts []string
	for _, proc := range p {
		parts = append(parts, fmt.Sprintf("%s=%s@%d", proc.Type, proc.Command, proc.Line))
	}
	return strings.Join(parts, " ")
}

// commandsText names the types whose commands need a shell.
func commandsText(p Procfile) string {
	s := ""
	for _, proc := range p {
		_, needs, err := Command(proc.Command, lookup)
		if err != nil {
			s += fmt.Sprintf(" [%s: %v]", proc.Type, err)
		} else if needs {
			s += fmt.Sprintf(" [%s: shell]", proc.Type)
		}
	}
	return s
}

func scaleText(d DokkuScale) string {
	var parts []string
	for _, c := range d {
		parts = append(parts, fmt.Sprintf("%s=%d@%d", c.Type, c.Count, c.Line))
	}
	return strings.Join(parts, " ")
}

func appJSONText(a AppJSON) string {
	var parts []string
	for _, typ := range slices.Sorted(maps.Keys(a.Formation)) {
		q := a.Formation[typ]
		s := typ
		if q.Quantity != nil {
			s += fmt.Sprintf("=%d", *q.Quantity)
		}
		if q.MaxParallel > 0 {
			s += fmt.Sprintf("/%d", q.MaxParallel)
		}
		parts = append(parts, s)
	}
	for _, typ := range slices.Sorted(maps.Keys(a.Healthchecks)) {
		for _, c := range a.Healthchecks[typ] {
			parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s check@%d", typ, c.Type, c.Line)))
		}
	}
	if a.Predeploy != "" {
		parts = append(parts, "predeploy:"+a.Predeploy)
	}
	if a.Postdeploy != "" {
		parts = append(parts, "postdeploy:"+a.Postdeploy)
	}
	if a.FirstDeploy != "" {
		parts = append(parts, "first:"+a.FirstDeploy)
	}
	for _, v := range a.Env {
		parts = append(parts, "env:"+envText(v))
	}
	for _, task := range a.Cron {
		parts = append(parts, fmt.Sprintf("cron:%s:%s", task.Schedule, task.Command))
	}
	if len(a.Ignored) > 0 {
		parts = append(parts, "ignored:"+strings.Join(a.Ignored, ","))
	}
	for _, w := range a.Warnings {
		parts = append(parts, "! "+w.String())
	}
	return strings.ReplaceAll(strings.Join(parts, " "), "web  check", "web check")
}

func envText(v EnvVar) string {
	s := fmt.Sprintf("%s=%s", v.Name, v.Value)
	if v.Required {
		s += "!"
	}
	if v.Secret {
		s += "?"
	}
	if v.Sync {
		s += "~"
	}
	return s
}
