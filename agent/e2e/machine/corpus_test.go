package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/build"
	"dokku/build/source"
	"dokku/scale"
)

// corpus holds files of public repositories; see package scale.
const corpus = "../../../../shared/corpus"

// corpusNames are the names of the files, by the folder of the corpus.
var corpusNames = map[string]string{"procfile": app.FileProcfile, "dokku_scale": app.FileDokkuScale, "checks": app.FileChecks, "appjson": app.FileAppJSON}

// mistakes are files whose diagnostics must be the same too; the corpus has few of them.
var mistakes = []map[string]string{
	{"Procfile": "web ./a\nworker:\n", "DOKKU_SCALE": "web: 1\nclock=two\n", "CHECKS": "WAIT=abc\nhello\n/x \"a\"\n", "app.json": `{"formation": {"web": {"quantity": -1}}}`},
	{"Procfile": "web: ./a (b\nrelease: echo $(\n", "app.json": `{"env": {"1A": "x"}, "scripts": {"dokku": {"predeploy": "echo ("}}}`},
	{"DOKKU_SCALE": "worker=1\n"},
	{"DOKKU_SCALE": "worker=0\n", "app.json": `{"formation": {"web": {"quantity": 1}}, "cron": [{"command": "x"}], "healthchecks": {"web": [{"path": "/a", "uptime": 3}], "worker": [{"type": "startup", "path": "/"}]}}`},
	{"Procfile": "web: a\nworker: b\n", "DOKKU_SCALE": "worker=1\nweb=101\n", "CHECKS": "WAIT=361\nATTEMPTS=10\n/\n", "app.json": `{"healthchecks": {"web": [{"type": "never", "path": "a"}]}}`},
	{"Dockerfile": "# syntax=example.com/a\nFROM scratch\n", "Procfile": "web: a\nworker: b\n", "DOKKU_SCALE": "worker=1\n"},
	{"Dockerfile": ""},
	{"project.toml": "[build\n"},
	{"project.toml": "[_]\nschema-version = \"0.2\"\n[io.buildpacks]\nbuilder = \"example.com/b\"\n"},
	{"project.toml": "[_]\nschema-version = \"0.2\"\n[io.buildpacks]\nexclude = [\"*\"]\n"},
	{"railpack.json": "{}", "Procfile": "\xff\xfew\x00"},
	{"model.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("a", 64) + "\nsize 12345\n", "Procfile": "web\n"},
}

// valid are files without a problem, as far as they tell before a build.
var valid = []map[string]string{
	{"Dockerfile": "", "package.json": "{}"},
	{".buildpacks": "https://example.com/b\n", "DOKKU_SCALE": "worker=1\n"},
}

// A comparison tries files on the three roads to their diagnostics.
type comparison struct {
	m      *machine
	dir    string // the client's repository
	builds int
}

// TestSameDiagnostics: dokku validate, a plan and a push name the same problems of the same
// repository, for all files of the corpus and for mistakes that it lacks.
func TestSameDiagnostics(t *testing.T) {
	m := newMachine(t, newHistory(t))
	c := &comparison{m: m, dir: t.TempDir()}
	git(t, c.dir, "init", "-q", "-b", "main")
	git(t, c.dir, "config", "user.name", "a")
	git(t, c.dir, "config", "user.email", "a@example.com")
	m.must(m.server.Create(t.Context(), "corpus", false))
	// The app's repository reads the client's objects, in place of a push of each commit.
	put(t, filepath.Join(m.server.Env.Store.Dir("corpus"), "objects", "info", "alternates"), filepath.Join(c.dir, ".git", "objects")+"\n")
	env := m.server.Env
	env.Choose = func(ctx context.Context, r build.Request) (build.Choice, []int, error) {
		return agent.ChooseByFiles(ctx, app.Settings{}, r)
	}
	env.Build = func(context.Context, build.Request) (build.Result, error) {
		c.builds++
		return build.Result{}, errBuilds
	}
	for _, files := range mistakes {
		if found := c.try(files); len(found) == 0 {
			t.Errorf("no problem is found in %q", files)
		}
		c.sameJSON()
	}
	for _, files := range valid {
		if found := c.try(files); len(found) > 0 {
			t.Errorf("problems are found in %q: %q", files, found)
		}
		c.sameJSON()
	}
	problems := 0
	for kind, name := range corpusNames {
		list, err := filepath.Glob(filepath.Join(corpus, kind, "*__*"))
		m.must(err)
		if len(list) == 0 {
			if os.Getenv("CI") == "true" {
				t.Fatalf("the corpus %s/%s is missing", corpus, kind)
			}
			t.Logf("the corpus %s/%s is missing: nothing was compared", corpus, kind)
		}
		for _, file := range list {
			text, err := os.ReadFile(file)
			m.must(err)
			problems += len(c.try(needed(name, string(text))))
		}
	}
	t.Logf("%d problems are in the corpus", problems)
}

// errBuilds ends a push whose files have no mistake.
var errBuilds = errors.New("the build begins")

// needed is a file with the Procfile that the types of its counts need.
func needed(name, text string) map[string]string {
	files := map[string]string{name: text}
	if counts, err := scale.ParseDokkuScale([]byte(text), 0); name == app.FileDokkuScale && err == nil {
		var procfile strings.Builder
		for _, n := range counts {
			procfile.WriteString(n.Type + ": run " + n.Type + "\n")
		}
		files[app.FileProcfile] = procfile.String()
	}
	return files
}

// try commits the files and compares what is said about them, which it returns.
func (c *comparison) try(files map[string]string) []string {
	t := c.m.t
	t.Helper()
	old, err := filepath.Glob(filepath.Join(c.dir, "*"))
	c.m.must(err)
	for _, name := range old {
		if filepath.Base(name) != ".git" {
			c.m.must(os.Remove(name))
		}
	}
	put(t, filepath.Join(c.dir, "Dockerfile"), "FROM scratch\n")
	for name, text := range files {
		put(t, filepath.Join(c.dir, name), text)
		if text == "" {
			c.m.must(os.Remove(filepath.Join(c.dir, name)))
		}
	}
	git(t, c.dir, "add", "-A")
	git(t, c.dir, "commit", "-q", "--allow-empty", "-m", "x")
	rev, err := os.ReadFile(filepath.Join(c.dir, ".git", "refs", "heads", "main"))
	c.m.must(err)
	c.configure(files[app.FileAppJSON])

	validated := c.validate()
	before := c.builds
	planned := c.push(strings.TrimSpace(string(rev)), deploy.PushOptions{Plan: true})
	if c.builds != before {
		t.Errorf("the plan builds %q", files)
	}
	pushed := c.push(strings.TrimSpace(string(rev)), deploy.PushOptions{})
	if !slices.Equal(planned, validated) || !slices.Equal(pushed, validated) {
		t.Errorf("of %q\nvalidate says\n%s\nthe plan\n%s\nthe push\n%s", files,
			strings.Join(validated, "\n"), strings.Join(planned, "\n"), strings.Join(pushed, "\n"))
	}
	return validated
}

// validate returns the problems that dokku validate prints.
func (c *comparison) validate() []string {
	_, errs, code := c.run("validate")
	lines := problemLines(errs)
	if code != 0 && len(lines) == 0 {
		c.m.t.Errorf("it exits with %d: %s", code, errs)
	}
	return lines
}

// sameJSON fails the test unless the JSON has as many problems as the text, and its
// severities give the exit code.
func (c *comparison) sameJSON() {
	c.m.t.Helper()
	out, errs, code := c.run("validate", "--format", "json")
	var result struct{ Files []struct{ Severity string } }
	if err := json.Unmarshal([]byte(out), &result); err != nil || errs != "" {
		c.m.t.Fatalf("%v: %s%s", err, out, errs)
	}
	invalid := slices.ContainsFunc(result.Files, func(f struct{ Severity string }) bool { return f.Severity == "error" })
	_, text, same := c.run("validate")
	if lines := problemLines(text); len(lines) != len(result.Files) || same != code || (code == 1) != invalid {
		c.m.t.Errorf("it exits with %d and %d; json has %d problems, the text has %q", code, same, len(result.Files), lines)
	}
}

func (c *comparison) run(args ...string) (out, errs string, code int) {
	var stdout, stderr bytes.Buffer
	env := cli.Env{Root: filepath.Join(c.dir, "nowhere"), Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Dir: c.dir}
	code = command.Execute(c.m.t.Context(), env, args)
	return stdout.String(), stderr.String(), code
}

// configure sets the variables that app.json requires: dokku validate knows no app, and so
// no config.
func (c *comparison) configure(src string) {
	config := map[string]string{}
	file, _ := scale.ParseAppJSON([]byte(src)) // its mistakes are compared
	for _, v := range file.Env {
		config[v.Name] = "x"
	}
	c.m.must(c.m.server.Env.Store.SaveState("corpus", &app.State{Version: 1, Config: config}))
}

// push returns the problems that a push prints before it builds.
func (c *comparison) push(rev string, o deploy.PushOptions) []string {
	var printed bytes.Buffer
	term := event.NewTerminal(&printed, &printed, false)
	log := event.New(term)
	err := c.m.server.Prepare(c.m.t.Context(), deploy.Push{App: "corpus", Refs: []deploy.Ref{{Old: deploy.ZeroID, New: rev, Name: "refs/heads/main"}},
		Objects: source.Options{GitDir: c.m.server.Env.Store.Dir("corpus")}, Options: o}, log)
	if err == nil {
		c.m.t.Fatal("it is accepted")
	}
	log.Error("%s", err) // as the hook does
	term.Close()
	return problemLines(printed.String())
}

// problemLines returns the warnings and errors of an output, sorted, without those that
// are about no file.
func problemLines(text string) (list []string) {
	for line := range strings.Lines(text) {
		said, ok := strings.CutPrefix(strings.TrimSpace(line), "!     ")
		if ok && said != errBuilds.Error() && !strings.HasPrefix(said, "Nothing has changed: ") && !strings.HasPrefix(said, "plan only: ") {
			list = append(list, strings.ReplaceAll(said, " corpus ", " APP "))
		}
	}
	slices.Sort(list)
	return list
}
