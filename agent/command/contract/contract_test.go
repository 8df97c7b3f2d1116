package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command"
	"dokku/agent/command/cli"
	"dokku/agent/services"
)

// A form is how a client reads answers.
type form struct {
	// both: it reads standard error with standard output, as over one channel of ssh.
	both bool
	// skip is the number of lines that it skips before a list or the rows of a report.
	skip int
	// pairs: each line of a report has to have one colon at least; else others are skipped.
	pairs bool
}

// forms are those of the files.
var forms = map[string]form{
	"combined":     {both: true, skip: 1},              // dokku-go
	"headed":       {skip: 1},                          // pydokku
	"quiet":        {},                                 // ansible-dokku
	"headed-pairs": {both: true, skip: 1, pairs: true}, // aaronstillwell/dokku
	"quiet-pairs":  {both: true, pairs: true},          // aliksend/dokku
	"json":         {},                                 // docket
	"terminal":     {both: true, skip: 1},              // the official client: ssh -t
	"exit":         {both: true},                       // the GitHub action
}

// TestClients makes the calls of all clients.
func TestClients(t *testing.T) {
	files, err := filepath.Glob("clients/*.txt")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files of clients: %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			runFile(t, path)
		})
	}
}

// A client makes the calls of a file.
type client struct {
	t      *testing.T
	root   string
	form   form
	from   string // the client's function
	place  string // the line in the file
	call   string
	stdin  string
	answer answer
}

type answer struct {
	text, stdout string
}

func runFile(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, root: server(t)}
	for n, line := range strings.Split(string(data), "\n") {
		c.place = fmt.Sprintf("%s:%d", path, n+1)
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case word == "" || strings.HasPrefix(word, "#"), word == "client":
		case word == "reads":
			f, ok := forms[rest]
			if !ok {
				t.Fatalf("%s: there is no form %q", c.place, rest)
			}
			c.form = f
		case word == "@":
			c.from = rest
		case word == "<":
			c.stdin = rest + "\n"
		case strings.HasPrefix(word, "$"):
			c.run(strings.TrimPrefix(word, "$"), rest)
		default:
			c.check(word, rest)
		}
	}
}

func (c *client) fail(format string, args ...any) {
	c.t.Helper()
	c.t.Errorf("%s: %s: dokku %s: %s\n%s", c.place, c.from, c.call, fmt.Sprintf(format, args...), c.answer.text)
}

// run makes a call that has to end with the exit code, which is 0 where none is given.
func (c *client) run(code, call string) {
	c.t.Helper()
	want := 0
	if code != "" {
		n, err := strconv.Atoi(code)
		if err != nil {
			c.t.Fatalf("%s: %s is no exit code", c.place, code)
		}
		want = n
	}
	if c.from == "" {
		c.t.Fatalf("%s: which function of the client makes this call?", c.place)
	}
	args, err := words(strings.ReplaceAll(call, "STORAGE", filepath.Join(filepath.Dir(c.root), "storage")))
	if err != nil {
		c.t.Fatalf("%s: %s", c.place, err)
	}
	var out, errs bytes.Buffer
	env := cli.Env{Root: c.root, Stdin: strings.NewReader(c.stdin), Stdout: &out, Stderr: &errs, Version: "1.2.3"}
	if c.form.both {
		env.Stderr = &out
	}
	got := command.Execute(c.t.Context(), env, args)
	c.call, c.stdin, c.answer = call, "", answer{text: out.String() + errs.String(), stdout: out.String()}
	if got != want {
		c.fail("exit code %d, want %d", got, want)
	}
}

// check checks the answer to the last call.
func (c *client) check(verb, rest string) {
	c.t.Helper()
	rest = strings.ReplaceAll(rest, "STORAGE", filepath.Join(filepath.Dir(c.root), "storage"))
	key, value, _ := strings.Cut(rest, " = ")
	key = strings.TrimSuffix(key, " =")
	switch verb {
	case "says", "lacks":
		if has := strings.Contains(strings.Join(strings.Fields(c.answer.text), " "), rest); has != (verb == "says") {
			c.fail("%s %s", verb, rest)
		}
	case "is":
		if got := strings.TrimSpace(c.answer.stdout); got != rest {
			c.fail("%q, want %q", got, rest)
		}
	case "row", "norow":
		got, ok := c.rows()[key]
		if verb == "norow" && ok || verb == "row" && (!ok || got != value) {
			c.fail("%s %s: %q", verb, rest, got)
		}
	case "list":
		var got []string
		for _, line := range c.lines() {
			got = append(got, strings.Join(strings.Fields(line), ":"))
		}
		if strings.Join(got, " ") != rest {
			c.fail("list %q, want %q", strings.Join(got, " "), rest)
		}
	case "json":
		if got, err := lookup(c.answer.stdout, key); err != nil || got != value {
			c.fail("json %s is %q, want %q: %v", key, got, value, err)
		}
	default:
		c.t.Fatalf("%s: unknown check %q", c.place, verb)
	}
}

// lines returns the lines that the client reads.
func (c *client) lines() []string {
	lines := strings.Split(strings.TrimRight(c.answer.stdout, "\n"), "\n")
	lines = lines[min(c.form.skip, len(lines)):]
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines
}

// rows returns the rows KEY: VALUE that the client reads.
func (c *client) rows() map[string]string {
	rows := map[string]string{}
	for _, line := range c.lines() {
		key, value, ok := strings.Cut(line, ":")
		if !ok && c.form.pairs {
			c.fail("the line %q has no colon", line)
		}
		rows[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return rows
}

// lookup returns a value of a JSON text by its path.
func lookup(text, path string) (string, error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return "", err
	}
	for path != "" && v != nil {
		switch in := v.(type) {
		case map[string]any:
			if whole, ok := in[path]; ok { // names have dots too
				return fmt.Sprint(whole), nil
			}
			name, rest, _ := strings.Cut(path, ".")
			v, path = in[name], rest
		case []any:
			name, rest, _ := strings.Cut(path, ".")
			n, err := strconv.Atoi(name)
			if err != nil || n >= len(in) {
				return "", fmt.Errorf("a list of %d has no %s", len(in), name)
			}
			v, path = in[n], rest
		default:
			return "", fmt.Errorf("%v has no %s", v, path)
		}
	}
	if v == nil {
		return "", fmt.Errorf("there is no such value")
	}
	return fmt.Sprint(v), nil
}

// words splits a call at blanks. Quotes of both kinds keep what is between them.
func words(line string) (list []string, err error) {
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimLeft(line, " ") {
		var word strings.Builder
		for line != "" && line[0] != ' ' {
			if quote := line[0]; quote == '\'' || quote == '"' {
				inside, after, ok := strings.Cut(line[1:], string(quote))
				if !ok {
					return nil, fmt.Errorf("an open quote in %q", line)
				}
				word.WriteString(inside)
				line = after
				continue
			}
			word.WriteByte(line[0])
			line = line[1:]
		}
		list = append(list, word.String())
	}
	return list, nil
}

// server makes a DOKKU_ROOT with the app "new", which was never deployed, and the postgres
// service "db". There is no engine and no nginx.
func server(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	if err := os.MkdirAll(filepath.Join(dir, "storage"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, root, ".dokku/server.json", app.Settings{Version: 1, Docker: "unix:///nowhere.sock",
		Domains: []string{"example.com"}, StorageRoot: filepath.Join(dir, "storage"),
		Nginx: app.NginxSettings{Check: []string{"false"}, Reload: []string{"false"}, LogDir: dir}})
	write(t, root, ".dokku/services/postgres/db/service.json", services.Service{Version: 1, Kind: "postgres", Name: "db", Database: "db",
		Password: "sesame", Container: services.Container{Attempt: "a1", Image: "postgres:18.4", Ports: []string{"127.0.0.1:15432"}}})
	s, err := agent.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(context.Background(), "new", false); err != nil {
		t.Fatal(err)
	}
	return root
}

func write(t *testing.T, root, name string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	path := filepath.Join(root, name)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
