package buildkit

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moby/buildkit/session/auth"

	"dokku/build"
)

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestCredentials(t *testing.T) {
	bin := t.TempDir()
	helper := "#!/bin/sh\nread host\n[ $host = none.io ] && { echo credentials not found in native keychain; exit 1; }\n" +
		`echo "{\"Username\":\"u-$host\",\"Secret\":\"s\"}"` + "\n"
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-test"), []byte(helper), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	userPass := base64.StdEncoding.EncodeToString([]byte("u:p:q"))
	dir := writeConfig(t, `{"auths": {"a.io": {"auth": "`+userPass+`"}, "https://b.io": {"username": "u", "password": "p"},
		"https://index.docker.io/v1/": {"identitytoken": "t"}}, "credHelpers": {"c.io": "test", "none.io": "test", "bad.io": "../x"}}`)
	for host, want := range map[string]string{
		"a.io": "u p:q", "b.io": "u p", "registry-1.docker.io": " t", "c.io": "u-c.io s", "none.io": " ", "other.io": " ",
		"bad.io": "it is a path, not a name",
	} {
		got := ""
		r, err := (&credentials{folders: []string{dir}}).Credentials(context.Background(), &auth.CredentialsRequest{Host: host})
		if err != nil {
			got = err.Error()
		} else {
			got = r.Username + " " + r.Secret
		}
		if got != want && !(err != nil && strings.Contains(got, want)) {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	for _, dir := range []string{t.TempDir(), filepath.Join(dir, "none")} {
		if r, err := (&credentials{folders: []string{dir}}).Credentials(context.Background(), &auth.CredentialsRequest{Host: "a.io"}); err != nil || r.Secret != "" {
			t.Errorf("no config: %v, %v", r, err)
		}
	}
	if _, err := (&credentials{folders: []string{writeConfig(t, "{")}}).Credentials(context.Background(), &auth.CredentialsRequest{Host: "a.io"}); err == nil {
		t.Error("a damaged config.json is no error")
	}
}

// startRegistry serves one image with one file, behind a password.
func startRegistry(t *testing.T, refused *atomic.Int32) string {
	digest := func(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	w.WriteHeader(&tar.Header{Name: "base", Mode: 0o644, Size: 4})
	w.Write([]byte("base"))
	w.Close()
	config := []byte(`{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["` + digest(layer.Bytes()) + `"]}}`)
	const prefix = "application/vnd.docker."
	manifest := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"%sdistribution.manifest.v2+json",
		"config":{"mediaType":"%scontainer.image.v1+json","size":%d,"digest":"%s"},
		"layers":[{"mediaType":"%simage.rootfs.diff.tar","size":%d,"digest":"%s"}]}`,
		prefix, prefix, len(config), digest(config), prefix, layer.Len(), digest(layer.Bytes()))
	blobs := map[string][]byte{digest(config): config, digest(layer.Bytes()): layer.Bytes()}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != "secret" {
			refused.Add(1)
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		b := blobs[filepath.Base(r.URL.Path)]
		if strings.Contains(r.URL.Path, "/manifests/") {
			b = manifest
			w.Header().Set("Content-Type", prefix+"distribution.manifest.v2+json")
			w.Header().Set("Docker-Content-Digest", digest(manifest))
		}
		if b == nil && r.URL.Path != "/v2/" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// TestPrivateBaseImage: a private base image is pulled with the password of `docker login`.
// Without it, the push names the missing password.
func TestPrivateBaseImage(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	var refused atomic.Int32
	host := startRegistry(t, &refused)
	rev := a.repo.Commit("", files{"Dockerfile": "FROM " + host + "/private/base\nCOPY Dockerfile /\n"})
	r := a.request(rev)
	solve := func(config string) (build.Result, error) {
		return New(Config{Client: a.client, DockerConfig: config}).Solve(t.Context(), r, "Dockerfile")
	}
	if _, err := solve(t.TempDir()); err == nil || refused.Load() == 0 || !strings.Contains(err.Error(), "dokku registry:login --global SERVER USER") {
		t.Fatalf("without a password: %v, refused %d times", err, refused.Load())
	}
	res, err := solve(writeConfig(t, `{"auths": {"`+host+`": {"username": "u", "password": "secret"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := a.inside(res.ImageID, "/base"); len(found) != 1 {
		t.Errorf("image has %q", found)
	}
}
