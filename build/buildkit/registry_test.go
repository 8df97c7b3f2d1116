package buildkit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	registrytypes "github.com/docker/docker/api/types/registry"
)

// TestRegistryAuth: the engine gets the password of the image's own registry, and no other.
func TestRegistryAuth(t *testing.T) {
	dir := t.TempDir()
	config := `{"auths": {"registry.example.com:5000": {"username": "ann", "password": "secret"},
		"https://index.docker.io/v1/": {"auth": "aHViOnBhc3M="}, "token.example.com": {"identitytoken": "t0k3n"}}}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for image, want := range map[string]registrytypes.AuthConfig{
		"registry.example.com:5000/team/app:1": {Username: "ann", Password: "secret", ServerAddress: "registry.example.com:5000"},
		"gliderlabs/herokuish:latest-24":       {Username: "hub", Password: "pass", ServerAddress: "docker.io"},
		"token.example.com/app":                {IdentityToken: "t0k3n", ServerAddress: "token.example.com"},
		"other.example.com/app":                {},
	} {
		text, err := RegistryAuth(t.Context(), []string{dir}, image)
		if err != nil {
			t.Fatal(err)
		}
		got := registrytypes.AuthConfig{}
		if text != "" {
			decoded, err := registrytypes.DecodeAuthConfig(text)
			if err != nil {
				t.Fatal(err)
			}
			got = *decoded
		}
		if got != want {
			t.Errorf("%s: %+v, want %+v", image, got, want)
		}
	}
	if _, err := RegistryAuth(t.Context(), []string{dir}, "Not An Image"); err == nil || !strings.HasPrefix(err.Error(), `cannot use "Not An Image" as an image: `) {
		t.Error(err)
	}
}
