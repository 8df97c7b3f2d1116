package deploy

import (
	"strings"
	"testing"

	"dokku/agent/app"
)

// TestOrigin: what a command says of its push arrives in the hook.
func TestOrigin(t *testing.T) {
	want := Origin{Command: "git:sync", Source: app.Source{Kind: "git-sync", From: "https://example.com/a.git#main"}, Adopt: "trunk", SkipDeploy: true}
	got, err := ParseOrigin(want.String())
	if err != nil || *got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got.cause() != "git:sync" || got.adopts() != "trunk" {
		t.Errorf("cause %q, adopts %q", got.cause(), got.adopts())
	}
	none, err := ParseOrigin("")
	if none != nil || err != nil || none.cause() != "push" || none.adopts() != "" {
		t.Errorf("a client's push: %+v, %v", none, err)
	}
	if _, err := ParseOrigin("{"); err == nil || !strings.Contains(err.Error(), "DOKKU_PUSH_ORIGIN") {
		t.Errorf("a damaged variable: %v", err)
	}
}

// TestImageDockerfile: the Dockerfile of an image names it, and only such a file does.
func TestImageDockerfile(t *testing.T) {
	id := "sha256:" + strings.Repeat("ab", 32)
	text := ImageDockerfile("web@sha256:1", "web:2", id)
	want := "ARG DOKKU_SOURCE_IMAGE=web@sha256:1\nFROM ${DOKKU_SOURCE_IMAGE}\n" +
		`LABEL com.dokku.docker-image-labeler/alternate-tags=[\"web:2\"]` + "\nLABEL com.dokku.source-image-id=" + id + "\n"
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	for dockerfile, want := range map[string]string{
		text: id, "": "", "FROM scratch\nLABEL com.dokku.source-image-id=" + id + "\n": "",
		strings.Replace(text, id, "sha256:short", 1): "", strings.Replace(text, id, id+"; RUN x", 1): "",
	} {
		if got := sourceImageOf(dockerfile); got != want {
			t.Errorf("%q: %q, want %q", dockerfile, got, want)
		}
	}
}
