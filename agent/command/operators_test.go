package command

import (
	"os"
	"path/filepath"
	"testing"

	"dokku/agent/keys"
)

// An operator of all apps left out the app's name, and so removed or replaced the password with which the server itself
// pulls the images of everybody. Only --global was refused.
func TestServersRegistryLogin(t *testing.T) {
	f := newFixture(t)
	if err := os.MkdirAll(filepath.Join(f.root, ".docker"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.root, ".docker", "config.json"), []byte(`{"auths":{"ghcr.io":{"auth":"dXNlcjpwYXNz"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f.user, f.grant, f.stdin = "ops", keys.Grant{Role: keys.Operator, Apps: []string{keys.AllApps}}, "pass\n"
	before := f.snapshot()
	for line, without := range map[string]string{
		"registry:logout ghcr.io":                      "registry:logout without an app",
		"registry:login ghcr.io bot pass":              "registry:login without an app",
		"registry:login --password-stdin ghcr.io bot":  "registry:login without an app",
		"--app ghcr.io registry:logout":                "registry:logout without an app",
		"--app ghcr.io registry:login bot pass":        "registry:login without an app",
		"registry:logout --global ghcr.io":             "--global",
		"registry:login --global ghcr.io bot password": "--global",
	} {
		f.expect(line, fails(1, " !     The key ops may not use "+without+": it needs an admin's key, and this is an operator's\n"))
	}
	if f.snapshot() != before {
		t.Error("what an operator is refused has changed something")
	}
	f.grant = keys.Grant{Role: keys.Admin}
	f.expect("registry:logout ghcr.io", ok("-----> Removed login for ghcr.io\n"))
}

// An operator switched an app, which the keys of strangers deploy to, from the server's own builder back to the engine's, or
// took away the setting by which an admin had chosen it.
func TestBuildIsolationOfOperators(t *testing.T) {
	f := newFixture(t)
	f.user, f.grant = "ops", keys.Grant{Role: keys.Operator, Apps: []string{"hello"}}
	f.expect("builder:set hello build-isolation own", ok("=====> Setting build-isolation to own\n"))
	before := f.snapshot()
	f.expect("builder:set hello build-isolation engine", fails(1, " !     The key ops may not use the value engine of build-isolation: it needs an admin's key, and this is an operator's\n"))
	f.expect("builder:set hello build-isolation", fails(1, " !     The key ops may not use the property build-isolation without a value: it needs an admin's key, and this is an operator's\n"))
	if f.snapshot() != before {
		t.Error("what an operator is refused has changed something")
	}
	f.grant = keys.Grant{Role: keys.Admin}
	f.expect("builder:set hello build-isolation engine", ok("=====> Setting build-isolation to engine\n"))
	f.expect("builder:set hello build-isolation", ok("=====> Unsetting build-isolation\n"))
}
