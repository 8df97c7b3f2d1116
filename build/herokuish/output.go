package herokuish

import (
	"strings"

	"dokku/build"
)

// output prints the output of herokuish as a push prints its own: headings with an arrow,
// and everything else below them.
type output struct {
	header    func(build.Header)
	progress  func(build.Line)
	h         *build.Header
	printed   bool   // the header
	buildpack string // "Node.js", as herokuish names it
}

func newOutput(r build.Request, h *build.Header) *output {
	return &output{header: r.Header, progress: r.Progress, h: h}
}

// sent prints the header as soon as all files have been sent.
func (o *output) sent(bytes int64) {
	o.h.BytesSent, o.h.Sent, o.h.Sending = bytes, true, false
	o.begin()
}

// begin prints the header once.
func (o *output) begin() {
	if !o.printed && o.header != nil {
		o.header(*o.h)
	}
	o.printed = true
}

// print prints a line below the header.
func (o *output) print(l build.Line) {
	o.begin()
	if o.progress != nil {
		o.progress(l)
	}
}

// line prints a line of the container. The step that it belongs to has no name: the
// buildpacks name theirs.
func (o *output) line(l build.Line) {
	text, ok := strings.CutPrefix(l.Text, build.OutputIndent)
	switch {
	case l.Kind == build.KindStep:
		return
	case l.Kind != build.KindOutput || !ok:
		o.print(l)
		return
	}
	text = plain(text)
	heading, ok := strings.CutPrefix(text, "-----> ")
	if !ok {
		o.print(build.Line{Kind: build.KindOutput, Text: text, Step: l.Step})
		return
	}
	if name, ok := strings.CutSuffix(heading, " app detected"); ok {
		o.buildpack = name
	}
	o.print(build.Line{Kind: build.KindHeading, Text: heading, Step: l.Step})
}

// firstColumn is the terminal's order to go to the first column.
const firstColumn = "\x1b[1G"

// plain removes what herokuish puts before each line: firstColumn, and an indent. Its own
// headings have an indent too, which another firstColumn lets them overwrite.
func plain(text string) string {
	if at := strings.LastIndex(text, firstColumn); at >= 0 {
		text = text[at+len(firstColumn):]
	}
	return strings.TrimPrefix(text, "       ")
}
