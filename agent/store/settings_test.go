package store

import (
	"os"
	"path/filepath"
	"testing"

	"dokku/agent/app"
	"dokku/agent/keys"
)

const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHs3ZHUcAzzNE7YPbXCWZyyFOJQ4xBYZG2pHkIYmNlRp"

// TestDeployedApps: on a server with a builder of its own, deployers' apps are known as theirs, and no
// operator's or admin's are; nothing of this is stored.
func TestDeployedApps(t *testing.T) {
	s := &Store{Root: t.TempDir()}
	if err := os.Mkdir(s.Own(), 0o700); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "buildkitd.sock")
	if err := s.WriteJSON(s.Own("server.json"), app.Settings{Version: app.Version, Builder: socket}); err != nil {
		t.Fatal(err)
	}
	if err := keys.Add(s.Root, "ci", publicKey, keys.Grant{Role: keys.Deployer, Apps: []string{"hello", "shop"}}); err != nil {
		t.Fatal(err)
	}
	if set, err := s.Settings(); err != nil || set.Deployed != nil {
		t.Errorf("without a builder: %v, %v", set.Deployed, err)
	}
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if set, err := s.Settings(); err != nil || len(set.Deployed) != 2 || !set.Deployed["hello"] || !set.Deployed["shop"] {
		t.Errorf("with a builder: %v, %v", set.Deployed, err)
	}
	if err := s.UpdateSettings(t.Context(), func(set *app.Settings) error { set.KeepReleases = 3; return nil }); err != nil {
		t.Fatal(err)
	}
	if err := keys.Set(s.Root, "ci", func(g *keys.Grant) error { g.Role = keys.Operator; return nil }); err != nil {
		t.Fatal(err)
	}
	if set, err := s.Settings(); err != nil || len(set.Deployed) != 0 || set.KeepReleases != 3 {
		t.Errorf("of an operator: %+v, %v", set.Deployed, err)
	}
}
