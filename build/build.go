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
	// Detect reports whether the revision has what asks for this builder. If
	// Request.Selected names the builder, it reports whether the revision can be built
	// at all. If so, reason is what it builds from, as in "Building hello from
	// Dockerfile"; "" if no file says so. If not, reason is a clause that says what it
	// looked for and what to add, such as "it has no Dockerfile in its root; add one
	// and push again"; "" if no file asks for the builder. An error means that the
	// revision or a setting is invalid, or that the server lacks what the builder
	// needs; no other builder is asked then. Detect only reads the revision.
	Detect(ctx context.Context, r Request) (reason string, ok bool, err error)
	// Build builds the revision, which Detect has accepted. If the build itself
	// fails, as opposed to its host, the error is an *Error. When ctx is done, Build
	// stops what it started and returns. It leaves Choice to Builders.
	Build(ctx context.Context, r Request) (Result, error)
}

// Fallback is a builder that also takes a revision that no builder of the list detects.
type Fallback interface {
	Builder
	// Fallback is like Detect. It is called after every Detect has said no.
	Fallback(ctx context.Context, r Request) (reason string, ok bool, err error)
}

// Inspector is a builder that finds mistakes in the files of a revision without building
// it.
type Inspector interface {
	Builder
	// Inspect returns the error with which Build would refuse the files of a revision that
	// Detect has accepted, before it builds anything. ports are Result.ExposedPorts, as far
	// as the files tell. It only reads the revision.
	Inspect(ctx context.Context, r Request) (ports []int, err error)
}

// Names are the builders that a setting may select, in the order in which they are
// asked. "null" is never detected: it takes an image as it is.
var Names = []string{Herokuish, Pack, Dockerfile, Railpack, Null}

// The names of the builders.
const (
	Herokuish  = "herokuish"
	Pack       = "pack"
	Dockerfile = "dockerfile"
	Railpack   = "railpack"
	Null       = "null"
)

// Request is a revision to build. App, Source, Commit and Manifest are required.
type Request struct {
	// App names the app. Its builder may keep a cache under this name. The caller
	// holds the app's lock: only one build of an app runs at a time.
	App    string
	Source *source.Source
	// Commit is the revision. Builders read its Tree, never its Hash: if only a folder
	// of the repository is built, Tree is that folder's (see source.Folder).
	Commit source.Commit
	// Old is the commit or tree that FilesChanged compares with. "": the files of the
	// app's last build, accepted or not.
	Old string
	// Dir is the folder of the repository that is built, for messages; "": the root.
	// Paths begin there.
	Dir string
	// Selected is the name of the builder that a setting selects; "": the first one
	// that detects the revision.
	Selected string
	// Image is the image that the revision names instead of files to build; "": none.
	Image string
	// Manifest is the path of the app's manifest, a file that only builders read
	// and write. Its folder exists.
	Manifest string

	// Dockerfile is the path of the Dockerfile; "" means Dockerfile in the root.
	// Builders that use no Dockerfile ignore it.
	Dockerfile string
	// ProjectTOML is the path of project.toml; "" means project.toml in the root.
	ProjectTOML string
	// RailpackJSON is the path of railpack.json; "" means railpack.json in the root.
	RailpackJSON string
	// NoHerokuish: a setting does not allow the builder herokuish.
	NoHerokuish bool
	// Stack is the image that builds with buildpacks, of the setting for all builders that
	// use them; "": the builder's default.
	Stack string
	// PackImage is the same for pack alone, and wins. RunImage is the image that its apps
	// run on; "": the one that the builder image names.
	PackImage, RunImage string
	// Buildpacks are the buildpacks of the setting, as URLs or ids; none: those that the
	// revision names, or that fit it.
	Buildpacks []string
	// Env is the app's configuration, for builders whose builds have it. A Dockerfile's
	// build does not: see BuildArgs and Secrets.
	Env map[string]string
	// BuildArgs are the values of build arguments, by name. They become a part of
	// the image's history: they are no place for secrets.
	BuildArgs map[string]string
	// Secrets are the values that a step can mount (RUN --mount=type=secret,id=...), by
	// id. They do not become a part of the image.
	Secrets map[string]string
	// Target is the stage of the Dockerfile that becomes the image; "": the last one.
	Target string
	// Platform is the image's platform, such as "linux/arm64"; "": the engine's own.
	Platform string
	// NoCache: every step runs, also if the engine knows its result.
	NoCache bool
	// Frontends are images that may read the Dockerfile (# syntax=) besides the package's
	// own Frontends: see ParseFrontends.
	Frontends []string
	// AllowedHosts are the hosts, each with or without a port, that a build may ask although
	// they are this server's alone.
	AllowedHosts []string
	// Foreign returns the app whose image a name means, "" if it is no other app's; nil: all
	// images may be used. AllowedFrom are the apps whose images may be used.
	Foreign     func(image string) (app string)
	AllowedFrom []string
	// Private reports whether another app has a login of its own at the registry of an image, which
	// may be one that this app must not have; nil: nobody asks.
	Private func(image string) bool
	// Hosts are additional lines of /etc/hosts while a step runs: "name:address".
	Hosts []string
	// Procfile is the app's Procfile as it is understood, for builders whose images read
	// one; nil: it has none.
	Procfile []byte
	// Isolated: the server's own BuildKit builds, beside the engine, if the builder uses
	// BuildKit at all.
	Isolated bool
	// Network is the name of the network of the containers in which buildpacks run; "": the
	// engine's default one. BuildKit's steps have their own.
	Network string
	// LocalImages are the names of images of the engine that a Dockerfile may use although
	// the build is Isolated.
	LocalImages []string
	// FilesOnly: only the files decide. Nobody asks whether the server has what a builder
	// needs, because there is none.
	FilesOnly bool
	// Limits bound the containers of the build.
	Limits Limits
	// Registries are the folders of the app's and the server's logins to registries, in
	// the order in which they are asked: see package registry.
	Registries []string
	// Labels are set on the image. The same content makes the same image id only
	// while they stay the same, so they name the app, never the release.
	Labels map[string]string

	// Chosen is called with the builder before it builds; nil: nothing is called. Its
	// error ends the build.
	Chosen func(Choice) error
	// Header is called once, before the first line, as soon as all files have been
	// sent, but a second after the start at the latest; nil: nothing is called.
	Header func(Header)
	// Progress is called for every line; nil: nothing is called. Like Header it is
	// called by the goroutine that called Build, which waits for it.
	Progress func(Line)
}

// Limits bound a build. 0: no limit.
type Limits struct {
	// Memory is how many bytes each container of a build may use. The Docker Engine's
	// BuildKit has no such limit: Docker 20.10 was seen to ignore a build's memory and
	// cgroupparent, and 28 passes on ulimits alone, which are those of one process.
	Memory int64
	// Time is how long the build may take.
	Time time.Duration
}

// Root is what messages call the folder in which the builders look: "its root", or
// "web, its build-dir".
func (r Request) Root() string {
	if r.Dir == "" {
		return "its root"
	}
	return r.Dir + ", its build-dir"
}

// Choice is the builder of a revision, and why it was chosen.
type Choice struct {
	Builder string // its name
	Reason  string // what it builds from, as Detect returned it
	// Selected: a setting selects the builder. Else the revision decided.
	Selected bool
	// Over is what other builders would have built from, if the revision decided
	// between several: "dockerfile from Dockerfile".
	Over string
}

// FindsProcesses reports whether the builder finds the process types of an app without a
// Procfile: see Result.Procfile.
func (c Choice) FindsProcesses() bool {
	return c.Builder == Herokuish || c.Builder == Pack || c.Builder == Railpack
}

// String says what is built with what, for the line "Building hello ...": "from
// Dockerfile" if nothing else was possible, else "with pack from project.toml, not
// with dockerfile from Dockerfile" or "with pack from project.toml, selected by
// builder:set".
func (c Choice) String() string {
	if c.Builder == Dockerfile && !c.Selected && c.Over == "" {
		return "from " + c.Reason
	}
	text := "with " + from(c.Builder, c.Reason)
	switch {
	case c.Selected:
		text += ", selected by builder:set"
	case c.Over != "":
		text += ", not with " + c.Over
	}
	return text
}

// from is "pack from project.toml", or "pack" without a reason.
func from(builder, reason string) string {
	if reason == "" {
		return builder
	}
	return builder + " from " + reason
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
	// Procfile has the process types that the builder found in what it built, for a
	// revision without a Procfile of its own; nil: it found none.
	Procfile []byte
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
	// KindHeading is a heading among the output of buildpacks, without its arrow.
	KindHeading Kind = "heading"
)

// Line is a line of a build's progress, ready to print after the indent that
// details have. Its text has the pusher's bytes in it, control characters too.
// The text of an output line begins with OutputIndent, but not below a heading.
type Line struct {
	Kind Kind
	Text string
	Step string // the step's full name; Text may shorten it
}
