package command

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var writeReadme = flag.Bool("readme", false, "write the table of Dokku's commands into README.md")

// inertHow is how the settings of what is not here differ.
const inertHow = "is stored and reported, and has no effect"

// differing are the commands that are here and do not do quite what Dokku's do.
var differing = map[string]string{
	"docker-options:add":   "the options of [a list](#docker-options)",
	"apps:clone":           "keeps neither domains nor certificates",
	"config:import":        "reads standard input over ssh",
	"config:set":           "is taken back if the app does not start with it",
	"cron:set":             "`mailto` needs a sendmail on the server",
	"domains:remove":       "a domain that the app does not have is an error",
	"events":               "says what happened, not which hooks of plugins ran; on from the start",
	"git:set":              "`source-image` is stored, and deploys nothing: `git:from-image` does",
	"git:unlock":           "has nothing to do: a killed deploy leaves no lock",
	"logs:set":             "the settings of vector are stored, and have no effect",
	"network:set":          "`static-web-listener` takes effect at once, and is an address with a port",
	"nginx:set":            "templates (`nginx-conf-sigil-path`) are read for what `nginx:set` does, and not rendered",
	"builder-lambda:set":   inertHow,
	"builder-nixpacks:set": inertHow,
	"caddy:set":            inertHow,
	"haproxy:set":          inertHow,
	"openresty:set":        inertHow,
	"traefik:set":          inertHow,
	"plugin:install":       "exits with 0 for what is built in",
	"plugin:trigger":       "`service-list` alone",
	"ports:remove":         "a port that the app does not have is an error",
	"proxy:set":            "nginx alone",
	"ps:rebuild":           "gated like a push",
	"ps:restart":           "gated like a push",
	"scheduler:set":        "`docker-local` and `docker-swarm`; a running app moves at once",
	"storage:create":       "`docker-local` alone",
	"storage:destroy":      "keeps the folder",
	"storage:mount":        "folders directly below `/var/lib/dokku/data/storage`, what the server allows, and named volumes",
}

// readmeTable is the table of all commands of Dokku by their nouns.
func readmeTable(f *fixture) string {
	f.t.Helper()
	have := commands(f)
	var nouns []string
	same, other, instead := map[string][]string{}, map[string][]string{}, map[string][]string{}
	for _, word := range strings.Fields(dokkus) {
		noun, verb, colon := strings.Cut(word, ":")
		if !slices.Contains(nouns, noun) {
			nouns = append(nouns, noun)
		}
		shown := "`" + word + "`"
		if colon {
			shown = "`:" + verb + "`"
		}
		how := differing[word]
		switch {
		case slices.Contains(have, word) && how == "":
			same[noun] = append(same[noun], shown)
		case slices.Contains(have, word):
			other[noun] = append(other[noun], shown+" "+how)
		default:
			_, text, _ := strings.Cut(strings.TrimSpace(f.run(word).stderr), "Dokku has it; here: ")
			group := slices.IndexFunc(instead[noun], func(s string) bool { return strings.HasSuffix(s, "» "+text) })
			if group < 0 {
				instead[noun] = append(instead[noun], shown+"» "+text)
			} else {
				instead[noun][group] = strings.Replace(instead[noun][group], "»", " "+shown+"»", 1)
			}
		}
	}
	var b strings.Builder
	b.WriteString("| Dokku's | as there | different | not here: instead |\n|---|---|---|---|\n")
	for _, noun := range nouns {
		missing := strings.ReplaceAll(strings.ReplaceAll(strings.Join(instead[noun], "; "), "»", ":"), "|", "\\|")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", noun, strings.Join(same[noun], " "), strings.Join(other[noun], "; "), missing)
	}
	return b.String()
}

// TestReadmeListsDokkusCommands: README.md says of each command of Dokku whether it is here,
// how it differs, or what replaces it. go test ./agent/command -run TestReadmeLists -readme
// writes the table.
func TestReadmeListsDokkusCommands(t *testing.T) {
	const begin, end = "<!-- the commands of Dokku: agent/command/readme_test.go -->\n", "<!-- end -->\n"
	for word := range differing {
		if !slices.Contains(strings.Fields(dokkus), word) {
			t.Errorf("%s is no command of Dokku", word)
		}
	}
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("README.md has no place for the table")
	}
	whole := before + begin + readmeTable(newFixture(t)) + end + after
	switch {
	case whole == string(data):
	case *writeReadme:
		if err := os.WriteFile("../../README.md", []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("README.md has another table: go test ./agent/command -run TestReadmeLists -readme writes it")
	}
}
