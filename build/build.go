package build

import (
	"context"
	"fmt"
	"time"

	"dokku/build/source"
)

// Builder makes images in one way: from a Dockerfile, with buildpacks, ... It gets
// the engine or the cache that it uses when it is constructed.
type Builder interface {
	// Name is how settings and messages call the builder, such as "dockerfile".
	Name() string
	// Detect reports whether the builder can build the revision. If it can, reason
	// is what it builds from, as in "Building hello from Dockerfile". If it cannot,
	// reason is a clause that says what it looked for and what to add, such as "it
	// has no Dockerfile in its root; add one and push again". An error means that
	// the revision or a setting is invalid; no other builder is asked then.
	Detect(ctx context.Context, r Request) (reason string, ok bool, err error)
	// Build builds the revision, which Detect has accepted. If the build itself
	// fails, as opposed to its host, the error is an *Error. When ctx is done, Build
	// stops what it started and returns. It leaves Choice to Builders.
	Build(ctx context.Context, r Request) (Result, error)
}

// Request is a revision to build. App, Source, Commit and Manifest are required.
type Request struct {
	// App names the app. Its builder may keep a cache under this name. The caller
	// holds the app's lock: only one build of an app runs at a time.
	App    string
	Source *source.Source
	Commit source.Commit
	// Old is the commit that FilesChanged compares with. "": the files of the
	// app's last build, accepted or not.
	Old string
	// Manifest is the path of the app's manifest, a file that only builders read
	// and write. Its folder exists.
	Manifest string

	// Dockerfile is the path of the Dockerfile; "" means Dockerfile in the root.
	// Builders that use no Dockerfile ignore it.
	Dockerfile string
	// BuildArgs are the values of build arguments, by name. They become a part of
	// the image's history: they are no place for secrets.
	BuildArgs map[string]string
	// Labels are set on the image. The same content makes the same image id only
	// while they stay the same, so they name the app, never the release.
	Labels map[string]string

	// Header is called once, before the first line, as soon as all files have been
	// sent, but a second after the start at the latest; nil: nothing is called.
	Header func(Header)
	// Progress is called for every line; nil: nothing is called. Like Header it is
	// called by the goroutine that called Build, which waits for it.
	Progress func(Line)
}

// Choice is the builder of a revision, and why it was chosen.
type Choice struct {
	Builder string // its name
	Reason  string // what it builds from, as Detect returned it
}

// Header is what a push prints before the steps of its build.
type Header struct {
	Choice
	Commit source.Commit
	// FilesChanged counts added, changed and removed files.
	FilesChanged int
	// BytesSent counts the bytes of the app's files that went to the engine.
	BytesSent int64
	// Sent: all of them have been sent, and BytesSent is final. Neither Sent nor
	// Sending: none have been asked for yet, or the build needs none.
	Sent bool
	// Sending: the files were still being sent when the header was due.
	Sending bool
	// BytesChanged counts the bytes of the added and changed files. About as many
	// will have been sent at the end.
	BytesChanged int64
}

// String is "3f2c1d9, 14 files changed, 120 kB sent". While files are still being
// sent it ends in "sending 120 MB", and before that after the number of files.
func (h Header) String() string {
	text := fmt.Sprintf("%s, %s changed", h.Commit.Short, count(h.FilesChanged, "file"))
	switch {
	case h.Sent:
		return text + ", " + source.Bytes(h.BytesSent) + " sent"
	case h.Sending && h.BytesChanged > h.BytesSent:
		return text + ", sending " + source.Bytes(h.BytesChanged)
	case h.Sending:
		return text + ", sending files"
	}
	return text
}

// count prints a number and its noun: "1 file", "14 files".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Result is a built image. Its Header has the final numbers.
type Result struct {
	Header
	ImageID  string // "sha256:..."
	Duration time.Duration
	// ExposedPorts are the TCP ports that the app asks for, the one of web first, as
	// far as what was built says so. An image keeps them without an order. The image
	// may expose others too, or lack some of these.
	ExposedPorts []int
}

// OutputIndent indents a line that a step printed below the step's name.
const OutputIndent = "  | "

// Kind is what a line is about.
type Kind string

// The kinds of lines.
const (
	KindStep   Kind = "step"   // a step's name: while it runs, if it takes longer, and with its time at its end
	KindOutput Kind = "output" // a line that a step printed
	KindAlive  Kind = "alive"  // nothing has happened for a while
)

// Line is a line of a build's progress, ready to print after the indent that
// details have. Its text has the pusher's bytes in it, control characters too.
// The text of an output line begins with OutputIndent.
type Line struct {
	Kind Kind
	Text string
	Step string // the step's full name; Text may shorten it
}
