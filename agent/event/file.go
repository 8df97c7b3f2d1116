package event

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// File writes every event of one deploy as a line of text with its time, without colours
// and signs of life.
type File struct {
	mu      sync.Mutex
	f       *os.File
	size    int64  // bytes that the file has
	most    int64  // see Limit; 0: no limit
	setting string // what raises the limit, for a person
	full    bool   // the file says that output is left out
}

// DefaultFileLimit is the size in bytes from which on the log of a deploy gets no more output.
const DefaultFileLimit = 8 << 20

// rest is how much larger than its limit a file may become by headings, warnings and errors.
const rest = 1 << 20

// CreateFile creates the log at path. The error is fs.ErrExist if there is one.
func CreateFile(path string) (*File, error) { return openFile(path, os.O_CREATE|os.O_EXCL) }

// AppendFile continues the log at path, which must exist.
func AppendFile(path string) (*File, error) { return openFile(path, 0) }

func openFile(path string, flag int) (*File, error) {
	f, err := os.OpenFile(path, flag|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot write the deploy's log: %w", err)
	}
	l := &File{f: f}
	if info, err := f.Stat(); err == nil {
		l.size = info.Size()
	}
	return l, nil
}

// Limit leaves out the output of builds and commands once the file has so many bytes, and
// says so once. Headings, warnings and errors follow, up to a further 1 MiB. fix says how to
// raise the limit.
func (l *File) Limit(bytes int64, fix string) { l.most, l.setting = bytes, fix }

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
	l.mu.Lock()
	defer l.mu.Unlock()
	line := fmt.Sprintf("%s %s\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), text)
	if l.fits(e.Style, len(line)) {
		n, _ := l.f.WriteString(line)
		l.size += int64(n)
	}
	return len(p), nil
}

// fits reports whether a line has room. It says once that the following output has none.
func (l *File) fits(s Style, length int) bool {
	size := l.size + int64(length)
	if l.most <= 0 || size <= l.most {
		return true
	}
	if s != StyleOutput {
		return size <= l.most+rest
	}
	if !l.full && l.size < l.most+rest {
		l.full = true
		n, _ := fmt.Fprintf(l.f, "%s  !     More output is left out here: this log has reached its limit of %d bytes; %s\n",
			time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), l.most, l.setting)
		l.size += int64(n)
	}
	return false
}

// Close closes the file.
func (l *File) Close() error { return l.f.Close() }
