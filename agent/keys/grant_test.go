package keys

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestGrants: a grant is read as it was written, and words that no version wrote give no
// rights.
func TestGrants(t *testing.T) {
	end := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	for want, g := range map[string]Grant{
		"":                            {Role: Admin},
		"--role=admin --app=a":        {Role: Admin, Apps: []string{"a"}},
		"--role=operator --every-app": {Role: Operator, Apps: []string{AllApps}},
		"--role=operator":             {Role: Operator},
		"--role=deployer --app=a --app=b --config --expires=2027-01-31T12:00:00Z": {Role: Deployer, Apps: []string{"b", "a"}, Config: true, Expires: end},
		"--role=operator --app=a --service=redis:q":                               {Role: Operator, Apps: []string{"a"}, Services: []string{"redis:q"}},
	} {
		words := g.words()
		if got := strings.Join(words, " "); got != want {
			t.Errorf("%+v is written %q, want %q", g, got, want)
		}
		read, err := ParseGrant(words)
		if err != nil || !slices.Equal(read.words(), words) {
			t.Errorf("%q is read as %+v, %v", want, read, err)
		}
	}
	for _, bad := range []string{"--role=root", "--role=", "--app=a", "--role=deployer --app=../a", "--role=deployer --app=A", "--role=deployer --every-app",
		"--role=operator --service=q", "--role=operator --service=redis:../q", "--role=operator --config", "--role=admin --role=deployer", "--role=deployer --expires=soon",
		"--role=deployer --root", "admin", "--role admin", "--Role=admin"} {
		if g, err := ParseGrant(strings.Fields(bad)); err == nil {
			t.Errorf("%q gives %+v", bad, g)
		}
	}
}

// TestWhatGrantsAllow: what a key may use, and when it may do nothing.
func TestWhatGrantsAllow(t *testing.T) {
	for _, c := range []struct {
		g         Grant
		a, b, svc bool
	}{
		{Grant{}, false, false, false},
		{Grant{Role: "root", Apps: []string{"a"}, Services: []string{"redis:q"}}, false, false, false},
		{Grant{Role: Admin}, true, true, true},
		{Grant{Role: Operator}, false, false, false},
		{Grant{Role: Operator, Apps: []string{"a"}, Services: []string{"redis:q"}}, true, false, true},
		{Grant{Role: Operator, Apps: []string{AllApps}, Services: []string{"redis:other"}}, true, true, false},
		{Grant{Role: Deployer, Apps: []string{"a"}, Services: []string{"redis:q"}}, true, false, false},
		{Grant{Role: Deployer, Apps: []string{AllApps}}, false, false, false},
	} {
		if c.g.Uses("a") != c.a || c.g.Uses("b") != c.b || c.g.Serves("redis", "q") != c.svc {
			t.Errorf("%+v: %t %t %t", c.g, c.g.Uses("a"), c.g.Uses("b"), c.g.Serves("redis", "q"))
		}
	}
	now := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	for end, want := range map[time.Time]bool{{}: false, now.Add(time.Second): false, now: true, now.Add(-time.Second): true} {
		a := &Access{Key: "ci", Grant: Grant{Role: Admin, Expires: end}}
		if err := a.Expired(now); (err != nil) != want || a.Refused != want {
			t.Errorf("a key that ends at %s: %v", end, err)
		}
	}
}

// TestRightsElsewhere: an export carries rights, a server that has a key keeps those that it
// has there, and over ssh no key is added. A name that apps wait for is no key.
func TestRightsElsewhere(t *testing.T) {
	old, server := t.TempDir(), t.TempDir()
	deployer := Grant{Role: Deployer, Apps: []string{"a"}}
	must(t, Add(old, "ci", newKey(t, "-t", "ed25519"), deployer))
	must(t, Add(old, "root", newKey(t, "-t", "ed25519"), Grant{Role: Admin}))
	text, err := os.ReadFile(filepath.Join(old, ".ssh", "authorized_keys"))
	must(t, err)
	binary, err := os.Executable()
	must(t, err)
	if n, faults, err := Inspect(text, old, binary); n != 2 || len(faults) > 0 || err != nil {
		t.Errorf("the doctor finds %v in %d keys, %v", faults, n, err)
	}
	if _, faults, _ := Inspect([]byte(strings.Replace(string(text), "--role=deployer", "--role=boss", 1)), old, binary); len(faults) != 1 || !strings.Contains(faults[0].Text, `"boss" is not a role`) {
		t.Errorf("the doctor finds %v", faults)
	}
	must(t, Permit(old, "later", func(g *Grant) error { g.Apps = []string{"a", "b"}; return nil }))
	export, err := Export(old)
	must(t, err)
	if text := string(export); strings.Count(text, "\n") != 3 || !strings.Contains(text, `ci dokku-rights="--role=deployer --app=a" ssh-ed25519 `) || !strings.Contains(text, `later dokku-rights="--app=a --app=b"`) {
		t.Fatalf("%s", text)
	}
	must(t, Check(export))
	notes, err := Import(server, export, false)
	if list, _ := Granted(server); err != nil || len(list) != 0 || notes != "Keys are not added over ssh: ci, root, later. On the server: restore there, or dokku ssh-keys:add NAME < KEY.pub\n" {
		t.Errorf("over ssh: %v, %q, %v", list, notes, err)
	}
	if _, err := Import(server, export, true); err != nil {
		t.Fatal(err)
	}
	list, err := Granted(server)
	if err != nil || len(list) != 3 || list[0].Grant.String() != deployer.String() || list[1].Grant.Role != Admin || list[2].Name != "later" || list[2].Fingerprint != "" {
		t.Fatalf("%v, %v", list, err)
	}
	// A backup in which the deployer is an admin changes nothing for the key that is here.
	risen := strings.Replace(string(export), `dokku-rights="--role=deployer --app=a" `, "", 1)
	must(t, Check([]byte(risen)))
	for _, all := range []bool{true, false} {
		if _, err := Import(server, []byte(risen), all); err != nil {
			t.Error(err)
		}
	}
	if k, err := Find(server, "ci"); err != nil || k.Grant.Role != Deployer {
		t.Errorf("%+v, %v", k, err)
	}
	for _, bad := range []string{`ci dokku-rights="--role=root" ` + newKey(t, "-t", "ed25519"), `ci dokku-rights="--root" ` + newKey(t, "-t", "ed25519"), `ci dokku-rights="`} {
		if err := Check([]byte(bad)); err == nil {
			t.Errorf("an export may have %q", bad)
		}
	}
	// The key that comes later has what waited for it, once.
	must(t, Add(server, "later", newKey(t, "-t", "ed25519"), Grant{Role: Operator}))
	if k, err := Find(server, "later"); err != nil || k.Grant.String() != ` ROLE="operator" APPS="a,b"` {
		t.Errorf("%+v, %v", k, err)
	}
	must(t, Remove(server, "later"))
	must(t, RenameApp(server, "a", "z"))
	if list, _ := Granted(server); len(list) != 2 || list[0].Grant.String() != ` ROLE="deployer" APPS="z"` {
		t.Errorf("%v", list)
	}
}
