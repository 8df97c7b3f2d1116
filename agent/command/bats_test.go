package command

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var writeBats = flag.Bool("bats", false, "write the table of Dokku's tests into bats.md")

const batsList = "../../testdata/bats.txt"

// batsReasons are the reasons in testdata/bats.txt. One that begins with "command ",
// "property " or "flag " names what the program refuses.
var batsReasons = map[string]string{
	"plugin":    "needs a plugin, or a hook that only plugins call (`plugin:trigger`, `plugin:install`)",
	"internals": "reads or writes Dokku's own files, or calls its shell functions",
	"missing":   "needs an image, a program, a repository or a service that cannot be had without the internet",
	"options":   "sets a docker option that [the list](../../README.md#docker-options) refuses by name",
	"mounts":    "mounts a path of the host outside `/var/lib/dokku/data/storage`, which `storage:mount` refuses by name unless the server allows it",
	"template":  "an `nginx.conf.sigil` has no effect; the push says which `nginx:set` does the same",
	"decision":  "differs on purpose, see below",
	"ours":      "not yet",
}

// batsLines are the command lines that the program refuses, where the name of what it
// refuses does not make one.
var batsLines = map[string]string{
	"builder selected":                   "builder:set hello selected lambda",
	"nginx access-log-path":              "nginx:set hello access-log-path /dev/stdout",
	"storage:create --mode":              "storage:create other --mode 0700",
	"storage:create --reclaim-policy":    "storage:create other --reclaim-policy Delete",
	"storage:destroy --destroy-host-dir": "storage:destroy data --destroy-host-dir",
	"storage:mount --volume-chown":       "storage:mount hello data --container-dir /data --volume-chown heroku",
	"storage:mount --volume-options":     "storage:mount hello data --container-dir /data --volume-options noexec",
}

// A batsFile is what became of the tests of a file of Dokku's.
type batsFile struct {
	name   string
	tests  int
	failed []batsFailure
}

type batsFailure struct{ reason, test, note string }

// readBats reads the list: a line "FILE NUMBER-OF-TESTS", and below it an indented line
// "REASON | TEST" or "REASON | TEST | NOTE" for each test that fails.
func readBats(t *testing.T) (head string, files []batsFile) {
	t.Helper()
	data, err := os.ReadFile(batsList)
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		if rest, ok := strings.CutPrefix(line, "\t"); ok && len(files) > 0 {
			parts := strings.Split(rest, " | ")
			if len(parts) < 2 || len(parts) > 3 {
				t.Fatalf("%s:%d: %q is not REASON | TEST | NOTE", batsList, n+1, line)
			}
			f := &files[len(files)-1]
			f.failed = append(f.failed, batsFailure{parts[0], parts[1], strings.Join(parts[2:], "")})
			continue
		}
		if text, ok := strings.CutPrefix(line, "# "); ok {
			head += text + "\n"
			continue
		}
		name, count, _ := strings.Cut(line, " ")
		tests, err := strconv.Atoi(count)
		if err != nil {
			t.Fatalf("%s:%d: %q is not FILE NUMBER", batsList, n+1, line)
		}
		files = append(files, batsFile{name: name, tests: tests})
	}
	return head, files
}

// batsReason explains a reason, with the words of the program for what it refuses.
func batsReason(f *fixture, reason string) string {
	f.t.Helper()
	kind, what, refused := strings.Cut(reason, " ")
	if !refused {
		if text := batsReasons[reason]; text != "" {
			return text
		}
		f.t.Errorf("there is no reason %q", reason)
		return ""
	}
	words := []string{what}
	if line := batsLines[what]; line != "" {
		f.run("storage:create", "data", "my-volume")
		words = strings.Fields(line)
	} else if noun, name, ok := strings.Cut(what, " "); kind == "property" && ok {
		words = []string{noun + ":set", "hello", name, "1"}
	}
	got := f.run(words...)
	said := strings.TrimPrefix(strings.ReplaceAll(strings.TrimSpace(got.stderr), "\n !    ", ""), "!     ")
	if got.code != 1 {
		f.t.Errorf("%q is not refused: %+v", words, got)
	}
	if _, instead, ok := strings.Cut(said, "Dokku has it; here: "); ok {
		said = instead
	} else if kind == "command" {
		f.t.Errorf("%q is not refused by name: %s", words, said)
	}
	return "`" + what + "` is not here: " + strings.ReplaceAll(said, "|", "\\|")
}

// batsTable is the part of bats.md that follows from the list.
func batsTable(f *fixture) string {
	f.t.Helper()
	head, files := readBats(f.t)
	total, counts := 0, map[string]int{}
	order := []string{}
	for _, file := range files {
		total += file.tests
		for _, one := range file.failed {
			if counts[one.reason]++; !slices.Contains(order, one.reason) {
				order = append(order, one.reason)
			}
		}
	}
	slices.SortStableFunc(order, func(a, b string) int { return counts[b] - counts[a] })
	failed := 0
	var b strings.Builder
	for _, reason := range order {
		failed += counts[reason]
		fmt.Fprintf(&b, "| %s | %d | %s |\n", batsAnchor(reason), counts[reason], batsReason(f, reason))
	}
	out := head + fmt.Sprintf("\n%d tests, %d pass, %d fail, %d of these by a fault of dokku.\n\n", total, total-failed, failed, counts["ours"])
	out += "| reason | tests | what it means, and what to do instead |\n|---|---|---|\n" + b.String()
	out += "\n| file | passed | failed, with the reason |\n|---|---|---|\n"
	for _, file := range files {
		out += fmt.Sprintf("| %s | %d of %d | %s |\n", file.name, file.tests-len(file.failed), file.tests, batsFailed(file))
	}
	return out
}

// batsAnchor is a reason as the tables show it.
func batsAnchor(reason string) string {
	if _, what, ok := strings.Cut(reason, " "); ok {
		return "`" + what + "`"
	}
	return reason
}

// batsFailed lists the failed tests of a file by their reasons.
func batsFailed(file batsFile) string {
	var parts []string
	for len(file.failed) > 0 {
		reason := file.failed[0].reason
		var names []string
		rest := file.failed[:0:0]
		for _, one := range file.failed {
			if one.reason != reason {
				rest = append(rest, one)
				continue
			}
			name := one.test
			if one.note != "" {
				name += " (" + one.note + ")"
			}
			names = append(names, name)
		}
		file.failed = rest
		list := strings.Join(names, "; ")
		if len(names) == file.tests {
			list = "all"
		}
		parts = append(parts, batsAnchor(reason)+": "+strings.NewReplacer("|", "\\|", "<", "&lt;", "*", "\\*", "[", "\\[").Replace(list))
	}
	return strings.Join(parts, ". ")
}

// TestBats: bats.md says of each of Dokku's own tests that fails here why it does, a refusal
// is one, and few failures are ours or decisions. go test ./agent/command -run TestBats -bats writes it.
func TestBats(t *testing.T) {
	const begin, end = "<!-- the tests of Dokku: testdata/bats.txt -->\n", "<!-- end -->\n"
	_, files := readBats(t)
	ours := 0
	for _, file := range files {
		if len(file.failed) > file.tests {
			t.Errorf("%s: %d of %d tests failed", file.name, len(file.failed), file.tests)
		}
		for _, one := range file.failed {
			if one.reason != "ours" && one.reason != "decision" {
				continue
			}
			if ours++; one.note == "" {
				t.Errorf("%s: %s: say how it differs", file.name, one.test)
			}
		}
	}
	if ours > 20 {
		t.Errorf("%d failures are ours, or decisions", ours)
	}
	data, err := os.ReadFile("bats.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatal("bats.md has no place for the table")
	}
	whole := before + begin + batsTable(newFixture(t)) + end + after
	switch {
	case whole == string(data):
	case *writeBats:
		if err := os.WriteFile("bats.md", []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error("bats.md has another table: go test ./agent/command -run TestBats -bats writes it")
	}
}
