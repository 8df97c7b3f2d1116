package build

import (
	"slices"
	"testing"
)

// TestFrontends: an image is compared by its full name, whatever its short form is.
func TestFrontends(t *testing.T) {
	more, err := ParseFrontends("ghcr.io/acme/frontend, acme/pinned:1.2,")
	if want := []string{"ghcr.io/acme/frontend", "acme/pinned:1.2"}; err != nil || !slices.Equal(more, want) {
		t.Fatalf("%q, %v", more, err)
	}
	for image, want := range map[string]bool{
		"docker/dockerfile":                       true,
		"docker/dockerfile:1":                     true,
		"docker.io/docker/dockerfile:1.7-labs":    true,
		"index.docker.io/docker/dockerfile":       true,
		"docker/dockerfile-upstream:master":       true,
		"docker/dockerfile@sha256:" + digits:      true,
		"ghcr.io/acme/frontend:2":                 true,
		"acme/pinned:1.2":                         true,
		"docker.io/acme/pinned:1.2":               true,
		"acme/pinned:1.3":                         false,
		"acme/pinned":                             false,
		"docker/dockerfilex":                      false,
		"docker/dockerfile/x":                     false,
		"evil.example.com/docker/dockerfile:1":    false,
		"dockerfile":                              false,
		"Docker/dockerfile":                       false,
		"docker/dockerfile:1 --flag":              false,
		"":                                        false,
		"docker/dockerfile@sha256:1":              false,
		"evil.example.com:5000/docker/dockerfile": false,
	} {
		if got := AllowedFrontend(image, more); got != want {
			t.Errorf("%q: %v", image, got)
		}
	}
	for _, value := range []string{"a b", "a/B", "http://x"} {
		if list, err := ParseFrontends(value); err == nil {
			t.Errorf("%q: %q", value, list)
		}
	}
	if list, err := ParseFrontends(""); err != nil || len(list) != 0 {
		t.Errorf("%q, %v", list, err)
	}
}

// digits are those of a digest.
const digits = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
