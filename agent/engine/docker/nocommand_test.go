package docker_test

import (
	"strings"
	"testing"

	"dokku/agent/engine"
)

// TestNoCommand: an image without a command says how to give it one.
func TestNoCommand(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	app := appName(t)
	_, err := d.Start(t.Context(), engine.Spec{App: app, Kind: engine.KindDeploy, Type: "web", Index: 1, Release: 1, Attempt: "a",
		Name: app + ".web.1", Image: busybox(t, d, app, nil)})
	if err == nil || !strings.Contains(err.Error(), "the image has no command: add a CMD to the Dockerfile, such as CMD [\"./server\"]") {
		t.Error(err)
	}
}
