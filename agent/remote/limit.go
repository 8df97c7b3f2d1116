package remote

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"dokku/build/source"
)

// Limit bounds what one fetch brings. The zero Limit bounds nothing.
type Limit struct {
	Max     int64  // in bytes, of the server's setting
	Setting string // its name, as git:set --global has it
	// Room returns how many bytes the disk has for it, and Space is what helps where that
	// is less than Max; nil: any number.
	Room  func() int64
	Space string

	used int64 // what counts for Max already
}

// bytes is the limit now; 0: none. A disk without room, or a limit that is used up, leaves one byte.
func (l Limit) bytes() int64 {
	if l.Room == nil {
		return l.left()
	}
	return min(l.left(), max(l.Room(), 1))
}

// left is what is left of Max.
func (l Limit) left() int64 {
	if l.used == 0 {
		return l.Max
	}
	return max(l.Max-l.used, 1)
}

// A LimitError says that a fetch has reached its limit.
type LimitError struct{ text string }

func (e *LimitError) Error() string { return e.text }

// reached returns the error of a fetch that has reached a limit of n bytes.
func (l Limit) reached(n int64) error {
	if n < l.left() {
		return &LimitError{fmt.Sprintf("the server's disk has no room for more than %s of it; %s", source.Bytes(n), l.Space)}
	}
	if l.used > 0 {
		return &LimitError{fmt.Sprintf("with what was fetched for this revision already, it has more than %s; push again, for what was fetched is kept, or to allow more: dokku git:set --global %s BYTES",
			source.Bytes(l.Max), l.Setting)}
	}
	return &LimitError{fmt.Sprintf("it has more than %s; to allow more: dokku git:set --global %s BYTES", source.Bytes(n), l.Setting)}
}

// full reports whether a pack of the repository dir has n bytes: the kernel ends git there,
// so the file is left, and full.
func full(dir string, n int64) bool {
	files, err := os.ReadDir(filepath.Join(dir, "objects", "pack"))
	return err == nil && slices.ContainsFunc(files, func(f fs.DirEntry) bool {
		fi, err := f.Info()
		return err == nil && fi.Size() >= n
	})
}
