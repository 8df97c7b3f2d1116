package event

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// StreamsVar is the environment variable by which a command that pushes on this server
// passes its own output on to the hooks of the push. Through git it would lose the
// difference between standard output and errors, and get "remote: " before each line.
const StreamsVar = "DOKKU_PUSH_STREAMS"

// Streams are two open descriptors for output and errors, and whether their reader sees
// colours.
type Streams struct {
	Out, Errs int
	Colour    bool
}

// String is the value of StreamsVar.
func (s Streams) String() string { return fmt.Sprintf("%d,%d,%t", s.Out, s.Errs, s.Colour) }

// OpenStreams returns the streams of a value of StreamsVar; ok is false without any.
// Child processes inherit the descriptors: a hook is one of the command's.
func OpenStreams(value string) (out, errs io.Writer, ok bool) {
	var s Streams
	if n, err := fmt.Sscanf(value, "%d,%d,%t", &s.Out, &s.Errs, &s.Colour); n != 3 || err != nil || !piped(s.Out) || !piped(s.Errs) {
		return nil, nil, false
	}
	return WithColour(os.NewFile(uintptr(s.Out), "output"), s.Colour), WithColour(os.NewFile(uintptr(s.Errs), "errors"), s.Colour), true
}

// piped reports whether a descriptor is an open pipe.
func piped(fd int) bool {
	var st unix.Stat_t
	return fd > 2 && unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO
}
