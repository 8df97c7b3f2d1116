package keys

import (
	"strings"
	"testing"
)

// TestKeysElsewhere: what one server exports another one imports, once, and what it
// has under the same name or with the same key stays.
func TestKeysElsewhere(t *testing.T) {
	const one = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIzqQ3kkUXJsXmAFeuIUpo2ZNpVEeGYrfEGhD9KlNFr"
	const two = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHXGwgYHvCgqyOMqQBzbrHHTEPNj5nAWRPTxSxN4L3Zh"
	const three = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC2cXqkKv8YqGq0Yy0mYxZ0eSj5K0uBnmlS3xw0sWnmW"
	imported := func(root, export string) string {
		t.Helper()
		notes, err := Import(root, []byte(export), true)
		if err != nil {
			t.Fatal(err)
		}
		return notes
	}
	old, server := t.TempDir(), t.TempDir()
	for name, key := range map[string]string{"alice": one, "bob": two, "carol": three} {
		if err := Add(old, name, key, Grant{Role: Admin}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := Export(old)
	export := string(text)
	if err != nil || strings.Count(export, "\n") != 3 || !strings.Contains(export, "alice "+one+"\n") {
		t.Fatalf("%s", export)
	}
	if err := Check(text); err != nil {
		t.Error(err)
	}
	if list, _ := List(server); len(list) != 0 {
		t.Errorf("a check has added %v", list)
	}
	if err := Add(server, "bob", one, Grant{Role: Admin}); err != nil {
		t.Fatal(err)
	}
	kept := imported(server, export)
	for _, want := range []string{"The key alice is not added: ", "line 1 has the same key", "The key bob is not added: another key of this name exists"} {
		if !strings.Contains(kept, want) {
			t.Errorf("%q is not in\n%s", want, kept)
		}
	}
	list, err := List(server)
	if err != nil || len(list) != 2 || list[0].Name != "bob" || list[1].Name != "carol" {
		t.Errorf("%v, %v", list, err)
	}
	again := imported(server, export)
	if list, _ := List(server); len(list) != 2 || again != kept {
		t.Errorf("%v\n%s", list, again)
	}
	for _, bad := range []string{"alice " + one + "\n../x " + two + "\n", "alice nonsense\n", "alice\n", "\n"} {
		if err := Check([]byte(bad)); err == nil {
			t.Errorf("a check takes %q", bad)
		}
		if _, err := Import(server, []byte(bad), true); err == nil {
			t.Errorf("an import takes %q", bad)
		}
	}
}
