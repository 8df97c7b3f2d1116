package services

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBuiltin: the kinds of the program can be read, and are those of Dokku's plugins.
func TestBuiltin(t *testing.T) {
	list, err := Kinds(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, k := range list {
		got = append(got, k.Name+" "+k.Default()+" "+k.Alias+"_URL")
	}
	want := []string{"mariadb mariadb:12.2.2 DATABASE_URL", "memcached memcached:1.6.42 MEMCACHED_URL", "mongo mongo:8.2.9 MONGO_URL",
		"mysql mysql:9.7.0 DATABASE_URL", "postgres postgres:18.4 DATABASE_URL", "rabbitmq rabbitmq:4.3.1-management RABBITMQ_URL", "redis redis:8.8.0 REDIS_URL"}
	if !slices.Equal(got, want) {
		t.Errorf("the kinds are %q, want %q", got, want)
	}
}

const small = `title = "Cache"
image = "cache"
version = "1"
ports = [1234]
scheme = "cache"
alias = "CACHE"
url = "{scheme}://{host}:{port}"
`

// TestKindErrors: what is wrong with the file of a kind is named with its line.
func TestKindErrors(t *testing.T) {
	for _, test := range []struct{ file, add, want string }{
		{"cache.toml", "", ""},
		{"cache.toml", "tittle = 1\n", "cache.toml:8: tittle is no setting of a kind"},
		{"cache.toml", "[dump]\ncommand = [\"x\"]\nevn = { A = \"b\" }\n", "cache.toml:10: dump.evn is no setting of a kind"},
		{"cache.toml", "[ready\n", "cache.toml:8: "},
		{"cache.toml", "user = 1\n", "cache.toml:8: user: the value is of the type integer, and has to be a text in quotes"},
		{"cache.toml", "user = \"{nobody}\"\n", "cache.toml:8: user has the placeholder {nobody}, which is none of {name}, "},
		{"cache.toml", "[env]\nA = \"{pass}\"\n", "cache.toml:8: env has the placeholder {pass}"},
		{"cache.toml", "[dump]\ncommand = [\"x\"]\n", "cache.toml:8: dump and load belong together"},
		{"cache.toml", "[[data]]\npath = \"data\"\n", `cache.toml:8: data has the path "data", which is not absolute`},
		{"cache.toml", "[config]\npath = \"/etc/x\"\nfiles = { \"../a\" = \"b\" }\n", `cache.toml:10: config.files has "../a", which is no name of a file`},
		{"Cache.toml", "", "Cache.toml: the name of the file is the name of the commands"},
	} {
		_, err := parse(test.file, []byte(small+test.add))
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s with %q: got %v, want %s", test.file, test.add, err, test.want)
		}
	}
	if _, err := parse("cache.toml", []byte(strings.Replace(small, "alias = \"CACHE\"", "alias = \"cache\"", 1))); err == nil ||
		!strings.HasPrefix(err.Error(), "cache.toml:6: alias is the beginning of a variable") {
		t.Errorf("a small alias: %v", err)
	}
	if _, err := parse("cache.toml", []byte(strings.Replace(small, "ports = [1234]", "ports = [70000]", 1))); err == nil ||
		err.Error() != "cache.toml:4: ports has 70000, which is no port" {
		t.Errorf("a high port: %v", err)
	}
}

// TestOwnKinds: files of the administrator add kinds and replace some. One that says none
// hides no other.
func TestOwnKinds(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"cache.toml": small, "redis.toml": small, "bad.toml": "title = 1", "readme.txt": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Kinds(dir)
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "bad.toml")+":1") {
		t.Errorf("the error is %v", err)
	}
	titles := map[string]string{}
	for _, k := range list {
		titles[k.Name] = k.Title
	}
	if len(list) != 8 || titles["cache"] != "Cache" || titles["redis"] != "Cache" || titles["postgres"] != "Postgres" {
		t.Errorf("the kinds are %v", titles)
	}
}

// TestFolders: the folder of the data depends on the version of the image.
func TestFolders(t *testing.T) {
	k := Kind{Data: []Data{{Path: "/new"}, {Path: "/old", Below: 18}}}
	for image, want := range map[string]string{"postgres:18.4": "/new", "postgres:17": "/old", "postgis/postgis:15-3.4": "/old",
		"registry:5000/postgres": "/new", "postgres:latest": "/new"} {
		if got := k.folders(image); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %s", image, got, want)
		}
	}
	if name, version := splitImage("registry:5000/postgres:16"); name != "registry:5000/postgres" || version != "16" {
		t.Errorf("got %s, %s", name, version)
	}
}
