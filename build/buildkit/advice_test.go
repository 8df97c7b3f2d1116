package buildkit

import (
	"testing"
	"time"
)

// The messages are those of Docker 20.10 and 29 and of Docker Hub.
func TestAdvise(t *testing.T) {
	const login = "log in to its registry: dokku registry:login --global SERVER USER"
	for message, want := range map[string]string{
		"pull access denied, repository does not exist or may require authorization": "; check the image's name; if the image is private, " + login,
		"unexpected status from HEAD request: 401 Unauthorized":                      "; check the image's name; if the image is private, " + login,
		"unexpected status: 429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit.": "; the registry limits " +
			"pulls without a password; " + login,
		"failed to copy files: write /var/lib/docker/tmp/x: no space left on device":                                        "; the server's disk is full; on the server: docker builder prune",
		"dial tcp: lookup registry.example.com: no such host":                                                               "; the server cannot find that host: check its name, and the server's DNS",
		"dial tcp 192.0.2.1:443: i/o timeout":                                                                               "; the server cannot reach that host; try again, or check the server's network",
		"node:999: failed to resolve source metadata for docker.io/library/node:999: docker.io/library/node:999: not found": "; check the image's name and tag",
		"failed to resolve source metadata for docker.io/me/app:1: pull access denied, repository does not exist or may require authorization": "; check the image's " +
			"name; if the image is private, " + login,
		"dockerfile parse error line 2: unknown instruction: COPPY": "",
	} {
		if e := newScreen().failure("3f2c1d9", "failed to solve: "+message, time.Time{}); e.Reason != message+want {
			t.Errorf("%s\n got %s\nwant %s", message, e.Reason, message+want)
		}
	}
}
