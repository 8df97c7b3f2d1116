package docker_test

import (
	"testing"

	"dokku/agent/engine/enginetest"
)

// TestFilesOfVolume: a volume's files go in and out without a program in a container.
func TestFilesOfVolume(t *testing.T) {
	d := newDocker(t)
	name := "dokkutest-files"
	makeVolume(t, d, name, nil)
	enginetest.StoredFiles(t, d, name, map[string]string{})
}
