package pack

import (
	"context"

	"dokku/build"
	"dokku/build/source"
)

// manyBytes is how many bytes of files are announced before they have been sent.
const manyBytes = 16 << 20

// reporter passes on the lines of a build, after the header.
type reporter struct {
	header build.Header
	told   bool
	r      build.Request
}

// newReporter counts the changed files. All files are sent at each build.
func newReporter(ctx context.Context, r build.Request, t *source.Tree) *reporter {
	h := build.Header{Commit: r.Commit, FilesChanged: t.Stats.Files, BytesChanged: t.Stats.Bytes}
	if r.Old != "" {
		if n, err := r.Source.Changed(ctx, r.Old, r.Commit.Tree, source.DefaultLimits.Files); err == nil {
			h.FilesChanged = n // else the old commit is gone, as after a forced push
		}
	}
	return &reporter{header: h, r: r}
}

// begin prints the header, if it was not printed.
func (p *reporter) begin() {
	if !p.told && p.r.Header != nil {
		p.r.Header(p.header)
	}
	p.told = true
}

// sending says that the files are on their way. Many of them are announced.
func (p *reporter) sending() {
	p.header.Sending = true
	if p.header.BytesChanged > manyBytes {
		p.begin()
	}
}

// sent says that all files have been sent.
func (p *reporter) sent() {
	p.header.Sending, p.header.Sent, p.header.BytesSent = false, true, p.header.BytesChanged
	p.begin()
}

// line prints a line.
func (p *reporter) line(l build.Line) {
	p.begin()
	if p.r.Progress != nil {
		p.r.Progress(l)
	}
}
