package event

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// File writes every event of one deploy as a line of text with its time, without colours
// and signs of life.
type File struct{ f *os.File }

// CreateFile creates the log at path. The error is fs.ErrExist if there is one.
func CreateFile(path string) (*File, error) { return openFile(path, os.O_CREATE|os.O_EXCL) }

// AppendFile continues the log at path, which must exist.
func AppendFile(path string) (*File, error) { return openFile(path, 0) }

func openFile(path string, flag int) (*File, error) {
	f, err := os.OpenFile(path, flag|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write the deploy's log: %w", err)
	}
	return &File{f}, nil
}

// Write appends one event. It ignores write errors: a full disk must not fail a deploy
// because of its log.
func (l *File) Write(p []byte) (int, error) {
	var e struct {
		Style    Style
		Message  string
		Duration float64 // milliseconds
		Error    string
	}
	if json.Unmarshal(p, &e) != nil || e.Style == StyleAlive {
		return len(p), nil
	}
	text, ok := Format(e.Style, e.Message)
	if !ok {
		text = fmt.Sprintf("(%s took %.1fms) %s", Printable(e.Message), e.Duration, Printable(e.Error))
	}
	fmt.Fprintf(l.f, "%s %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), text)
	return len(p), nil
}

// Close closes the file.
func (l *File) Close() error { return l.f.Close() }
