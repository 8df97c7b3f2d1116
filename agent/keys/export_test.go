package keys

import (
	"bytes"
	"strings"
	"testing"
)

// TestKeysElsewhere: what one server exports another one imports, once, and what it
// has under the same name or with the same key stays.
func TestKeysElsewhere(t *testing.T) {
	const one = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIzqQ3kkUXJsXmAFeuIUpo2ZNpVEeGYrfEGhD9KlNFr"
	const two = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHXGwgYHvCgqyOMqQBzbrHHTEPNj5nAWRPTxSxN4L3Zh"
	const three = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC2cXqkKv8YqGq0Yy0mYxZ0eSj5K0uBnmlS3xw0sWnmW"
	keys := func(root, command, in string) string {
		t.Helper()
		var b bytes.Buffer
		if err := SSHKeys(t.Context(), root, []string{command}, strings.NewReader(in), &b); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		return b.String()
	}
	old, server := t.TempDir(), t.TempDir()
	for name, key := range map[string]string{"alice": one, "bob": two, "carol": three} {
		if err := Add(old, name, key); err != nil {
			t.Fatal(err)
		}
	}
	export := keys(old, "ssh-keys:export", "")
	if strings.Count(export, "\n") != 3 || !strings.Contains(export, "alice "+one+"\n") {
		t.Fatalf("%s", export)
	}
	if kept := keys(server, "ssh-keys:check", export); kept != "" {
		t.Errorf("%s", kept)
	}
	if list, _ := List(server); len(list) != 0 {
		t.Errorf("a check has added %v", list)
	}
	if err := Add(server, "bob", one); err != nil {
		t.Fatal(err)
	}
	kept := keys(server, "ssh-keys:import", export)
	for _, want := range []string{"The key alice is not added: ", "line 1 has the same key", "The key bob is not added: another key of this name exists"} {
		if !strings.Contains(kept, want) {
			t.Errorf("%q is not in\n%s", want, kept)
		}
	}
	list, err := List(server)
	if err != nil || len(list) != 2 || list[0].Name != "bob" || list[1].Name != "carol" {
		t.Errorf("%v, %v", list, err)
	}
	again := keys(server, "ssh-keys:import", export)
	if list, _ := List(server); len(list) != 2 || again != kept {
		t.Errorf("%v\n%s", list, again)
	}
	for _, bad := range []string{"alice " + one + "\n../x " + two + "\n", "alice nonsense\n", "alice\n", "\n"} {
		for _, command := range []string{"ssh-keys:check", "ssh-keys:import"} {
			if err := SSHKeys(t.Context(), server, []string{command}, strings.NewReader(bad), &bytes.Buffer{}); err == nil {
				t.Errorf("%s takes %q", command, bad)
			}
		}
	}
}
