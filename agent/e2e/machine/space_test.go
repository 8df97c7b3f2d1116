package machine

import (
	"errors"
	"strings"
	"testing"

	"dokku/agent/event"
)

// TestFullDiskOfBuilder: a build in the server's own builder fills a disk that nothing else of the
// server is on. A push says so before its build.
func TestFullDiskOfBuilder(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	m.server.Env.FreeSpace = func(dir string) (int64, error) {
		if dir == "/var/lib/dokku-builder" {
			return 50 << 20, nil
		}
		return 100 << 30, nil
	}
	if err := m.push(h.one, h.two); err == nil || !strings.Contains(err.Error(), "the server's disk is full (52 MB left in /var/lib/dokku-builder)") {
		t.Error(err)
	}
}

// TestFullDisk: a push is refused before its build where the disk is full, and warned
// where it nearly is.
func TestFullDisk(t *testing.T) {
	h := newHistory(t)
	for _, c := range []struct {
		free   int64 // -1: not known
		says   string
		passes bool
	}{
		{50 << 20, "cannot build: the server's disk is full (52 MB left in /", false},
		{900 << 20, " !     the server's disk is nearly full (944 MB left in /", true},
		{2 << 30, "", true},
		{-1, "", true},
	} {
		m := newMachine(t, h)
		m.server.Env.FreeSpace = func(string) (int64, error) {
			if c.free < 0 {
				return 0, errors.New("no such folder")
			}
			return c.free, nil
		}
		var printed strings.Builder
		term := event.NewTerminal(&printed, &printed, false)
		err := m.pushLogged(h.one, h.two, event.New(term))
		term.Close()
		text := printed.String()
		if err != nil {
			text += err.Error()
		}
		if (err == nil) != c.passes || !strings.Contains(text, c.says) || c.says == "" && strings.Contains(text, "disk") {
			t.Errorf("with %d bytes free: %v\n%s", c.free, err, text)
		}
		if c.says != "" && !strings.Contains(text, "free some on the server: dokku cleanup, docker builder prune") {
			t.Errorf("with %d bytes free, no way out:\n%s", c.free, text)
		}
	}
}
