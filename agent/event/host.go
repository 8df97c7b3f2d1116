package event

import (
	"os"
	"path/filepath"

	"github.com/rs/zerolog"
)

// Host appends events from debug level on to a file, the host's log. It opens
// the file for each event: hooks live for seconds and the agent for months,
// and a log that was rotated away must not be written to any longer.
type Host struct {
	path string
}

// NewHost returns a writer to the log file at path, whose folder is created
// with mode 0700 by the first event.
func NewHost(path string) *Host { return &Host{path} }

// Write appends one event of unknown level.
func (h *Host) Write(p []byte) (int, error) { return h.WriteLevel(zerolog.InfoLevel, p) }

// WriteLevel appends one event. A log that cannot be written never fails the
// deploy that it is about.
func (h *Host) WriteLevel(level zerolog.Level, p []byte) (int, error) {
	if level == zerolog.TraceLevel {
		return len(p), nil
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if os.IsNotExist(err) && os.MkdirAll(filepath.Dir(h.path), 0o700) == nil {
		f, err = os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	}
	if err != nil {
		return len(p), nil
	}
	defer f.Close()
	f.Write(p)
	return len(p), nil
}
