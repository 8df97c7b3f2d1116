package registry

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func folder(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ConfigFile), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestKey: a registry has one name, however it is written.
func TestKey(t *testing.T) {
	for server, want := range map[string]string{
		"ghcr.io": "ghcr.io", "https://ghcr.io/": "ghcr.io", "http://localhost:5000": "localhost:5000", "127.0.0.1:5000": "127.0.0.1:5000",
		"docker.io": hubKey, "hub.docker.com": hubKey, "docker.com": hubKey, "https://index.docker.io/v1/": hubKey, "registry-1.docker.io": hubKey,
		"": "", "ghcr.io/team": "", "name": "", "a b.io": "", "-x.io": "", "ghcr.io\n": "",
	} {
		got, err := Key(server)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v, want %q", server, got, err, want)
		}
	}
	for image, want := range map[string]string{"node": "docker.io", "ghcr.io/a/b:1": "ghcr.io", "localhost:5000/x@sha256:" + strings.Repeat("0", 64): "localhost:5000"} {
		if got, err := ServerOf(image); err != nil || got != want {
			t.Errorf("%q: %q, %v", image, got, err)
		}
	}
}

// TestLogins: what With writes, Find reads; the app's login comes before the server's, and
// what other programs wrote stays.
func TestLogins(t *testing.T) {
	other := `{"HttpHeaders": {"X": "y"}, "auths": {"a.io": {"auth": "dTpw"}}}`
	data, err := With([]byte(other), "https://b.io", Login{"bot", "p:q"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"HttpHeaders"`) {
		t.Errorf("other settings are gone:\n%s", data)
	}
	if data, err = With(data, "docker.io", Login{"hub", "h"}); err != nil {
		t.Fatal(err)
	}
	servers, err := Servers(data)
	if err != nil || !slices.Equal(servers, []string{"a.io", "b.io", "docker.io"}) {
		t.Errorf("servers %v, %v", servers, err)
	}
	app, server := folder(t, `{"auths": {"b.io": {"auth": "YXBwOmE="}}}`), folder(t, string(data))
	for _, test := range []struct {
		folders []string
		server  string
		want    Login
	}{
		{[]string{app, server}, "b.io", Login{"app", "a"}}, {[]string{server, app}, "b.io", Login{"bot", "p:q"}},
		{[]string{app, server}, "a.io", Login{"u", "p"}}, {[]string{app, server}, "registry-1.docker.io", Login{"hub", "h"}},
		{[]string{app, server}, "c.io", Login{}}, {[]string{t.TempDir(), server}, "a.io", Login{"u", "p"}}, {nil, "a.io", Login{}},
	} {
		if got, err := Find(t.Context(), test.folders, test.server); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", test.server, got, err, test.want)
		}
	}
	data, ok, err := Without(data, "b.io")
	if err != nil || !ok || strings.Contains(string(data), "b.io") || !strings.Contains(string(data), "a.io") {
		t.Errorf("removed %t, %v:\n%s", ok, err, data)
	}
	if _, ok, err := Without(data, "b.io"); ok || err != nil {
		t.Errorf("removed twice: %t, %v", ok, err)
	}
	if _, err := With([]byte(`{"credsStore": "pass"}`), "b.io", Login{"u", "p"}); err == nil || !strings.Contains(err.Error(), "docker-credential-pass") {
		t.Errorf("a file with a store: %v", err)
	}
	if _, err := With([]byte(`{`), "b.io", Login{"u", "p"}); err == nil {
		t.Error("a damaged file is changed")
	}
	if _, err := Find(t.Context(), []string{folder(t, "{")}, "b.io"); err == nil || !strings.Contains(err.Error(), ConfigFile) {
		t.Errorf("a damaged file: %v", err)
	}
}
