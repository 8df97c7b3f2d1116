package build

import (
	"context"
	"errors"
	"testing"

	"dokku/build/source"
)

// fake is a builder that answers what it has.
type fake struct {
	name, reason string
	fits         bool
	err          error
}

func (f fake) Name() string { return f.name }

func (f fake) Detect(context.Context, Request) (string, bool, error) { return f.reason, f.fits, f.err }

func (f fake) Build(_ context.Context, r Request) (Result, error) {
	h := Header{FilesChanged: 3}
	if r.Header != nil {
		r.Header(h)
	}
	return Result{Header: h, ImageID: "image by " + f.name}, nil
}

// TestBuilders: the first builder that fits builds. A builder that rejects the revision ends
// the search.
func TestBuilders(t *testing.T) {
	no := fake{name: "no", reason: "it has no x; add one"}
	never := fake{name: "never", reason: "it has no y; add one"}
	one, two := fake{name: "one", reason: "x", fits: true}, fake{name: "two", reason: "y", fits: true}
	broken := fake{name: "broken", err: errors.New("cannot read x")}
	for _, c := range []struct {
		builders Builders
		want     Choice
		err      string
	}{
		{Builders{no, one, two}, Choice{"one", "x"}, ""},
		{Builders{two, one}, Choice{"two", "y"}, ""},
		{Builders{one, broken}, Choice{"one", "x"}, ""},
		{Builders{no, broken, one}, Choice{}, "cannot read x"},
		{Builders{no}, Choice{}, "cannot build 3f2c1d9: it has no x; add one"},
		{Builders{no, never}, Choice{}, "cannot build 3f2c1d9: it has no x; add one; it has no y; add one"},
		{nil, Choice{}, "internal error: there is no builder"},
	} {
		var printed Choice
		res, err := c.builders.Build(t.Context(), Request{Commit: source.Commit{Short: "3f2c1d9"},
			Header: func(h Header) { printed = h.Choice }})
		if err != nil && err.Error() != c.err || err == nil && c.err != "" {
			t.Errorf("%v: %v, want %q", c.builders, err, c.err)
		}
		if res.Choice != c.want || printed != c.want {
			t.Errorf("%v: the result has %v, the header %v, want %v", c.builders, res.Choice, printed, c.want)
		}
		if c.err == "" && (res.ImageID != "image by "+c.want.Builder || res.FilesChanged != 3) {
			t.Errorf("%v: %+v", c.builders, res)
		}
	}
	if res, err := (Builders{one}).Build(t.Context(), Request{}); err != nil || res.ImageID != "image by one" {
		t.Errorf("without a header: %+v, %v", res, err)
	}
}
