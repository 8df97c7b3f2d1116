package hooks

import (
	"os"
	"os/user"
	"path/filepath"
	"testing"

	"dokku/agent"
)

func TestRemote(t *testing.T) {
	me, err := user.Current()
	must(t, err)
	root := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(root, ".dokku"), 0o700))
	env := Env{Root: root, Open: func(root string) (Server, error) { return agent.Open(root) }}
	for _, test := range []struct{ settings, connection, want string }{
		{`{}`, "192.0.2.7 50000 192.0.2.1 22", "ssh " + me.Username + "@192.0.2.1"},
		{`{}`, "2001:db8::7 50000 2001:db8::1 2222", "ssh -p 2222 " + me.Username + "@2001:db8::1"},
		{`{"domains":["example.com","example.org"]}`, "192.0.2.7 50000 192.0.2.1 22", "ssh " + me.Username + "@192.0.2.1"},
		{`{"domains":["example.com","example.org"]}`, "192.0.2.7 50000 ::ffff:10.0.0.1 22", "ssh " + me.Username + "@example.com"},
		{`{"domains":["example.com"]}`, "192.0.2.7 50000 100.64.0.1 22", "ssh " + me.Username + "@example.com"},
		{`{"domains":["example.com"]}`, "fe80::1 50000 fd00::1 22", "ssh " + me.Username + "@example.com"},
		{`{"domains":["example.com"]}`, "::1 50000 ::1 2022", "ssh -p 2022 " + me.Username + "@example.com"},
		{`{}`, "127.0.0.1 50000 127.0.0.1 22", ""},
		{`{}`, "::1 50000 ::1 22", ""},
		{`{}`, "10.0.0.9 50000 10.0.0.1 22", "ssh " + me.Username + "@10.0.0.1"},
		{`{"domains":`, "192.0.2.7 50000 192.0.2.1 22", "ssh " + me.Username + "@192.0.2.1"},
		{`{}`, "", ""},
		{`{}`, "192.0.2.7 50000 $(id) 22", ""},
		{`{}`, "192.0.2.7 50000 192.0.2.1 x", ""},
	} {
		must(t, os.WriteFile(filepath.Join(root, ".dokku", "server.json"), []byte(test.settings), 0o600))
		if got := remote(env, test.connection); got != test.want {
			t.Errorf("%s, %s: got %q, want %q", test.settings, test.connection, got, test.want)
		}
	}
}
