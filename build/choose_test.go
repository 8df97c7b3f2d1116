package build

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"dokku/build/buildtest"
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

// last is a builder that takes what nobody else does, if it can.
type last struct {
	fake
	taken string
	err   error
}

func (l last) Fallback(context.Context, Request) (string, bool, error) {
	return l.taken, l.taken != "", l.err
}

// revision is a request for a commit of files.
func revision(t *testing.T, f buildtest.Files) Request {
	t.Helper()
	r := buildtest.NewRepo(t)
	rev := r.Commit("", f)
	s, err := source.Open(source.Options{GitDir: r.Dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := s.Commit(rev)
	if err != nil {
		t.Fatal(err)
	}
	c.Short = "3f2c1d9"
	return Request{App: "hello", Source: s, Commit: c}
}

// TestBuilders: a selected builder builds, else the first that detects the revision, else the
// first fallback. A builder that rejects the revision ends the search.
func TestBuilders(t *testing.T) {
	no := fake{name: "no", reason: "it has no x; add one"}
	never := fake{name: "never", reason: "it has no y; add one"}
	silent := fake{name: "silent"}
	one, two := fake{name: "one", reason: "x", fits: true}, fake{name: "two", reason: "y", fits: true}
	broken := fake{name: "broken", err: errors.New("cannot read x")}
	taker := last{fake: no, taken: "package.json"}
	helpless := last{fake: never}
	r := revision(t, buildtest.Files{"README.md": "x"})
	for _, c := range []struct {
		builders Builders
		selected string
		want     Choice
		err      string
	}{
		{Builders{no, one, two}, "", Choice{Builder: "one", Reason: "x", Over: "two from y"}, ""},
		{Builders{two, no, one}, "", Choice{Builder: "two", Reason: "y", Over: "one from x"}, ""},
		{Builders{one, broken}, "", Choice{Builder: "one", Reason: "x"}, ""},
		{Builders{no, broken, one}, "", Choice{}, "cannot read x"},
		{Builders{no}, "", Choice{}, "cannot build 3f2c1d9: it has no x; add one"},
		{Builders{no, silent, never}, "", Choice{}, "cannot build 3f2c1d9: it has no x; add one; it has no y; add one"},
		{nil, "", Choice{}, "internal error: there is no builder"},
		{Builders{taker, one}, "", Choice{Builder: "one", Reason: "x"}, ""},
		{Builders{helpless, never, taker}, "", Choice{Builder: "no", Reason: "package.json"}, ""},
		{Builders{last{fake: no, err: errors.New("cannot take x")}, one}, "", Choice{Builder: "one", Reason: "x"}, ""},
		{Builders{last{fake: no, err: errors.New("cannot take x")}}, "", Choice{}, "cannot take x"},
		{Builders{one, two}, "two", Choice{Builder: "two", Reason: "y", Selected: true}, ""},
		{Builders{broken, one}, "one", Choice{Builder: "one", Reason: "x", Selected: true}, ""},
		{Builders{broken, one}, "broken", Choice{}, "cannot read x"},
		{Builders{no, one}, "no", Choice{}, "cannot build 3f2c1d9 with no, which builder:set selects: it has no x; add one; " +
			"dokku builder:set hello selected BUILDER selects another one, and without BUILDER the files of the revision decide"},
		{Builders{one, two}, "pack", Choice{}, "cannot build 3f2c1d9 with pack, which builder:set selects: this server builds with one, two; " +
			"dokku builder:set hello selected BUILDER selects another one, and without BUILDER the files of the revision decide"},
	} {
		var printed Choice
		r.Selected, r.Header = c.selected, func(h Header) { printed = h.Choice }
		res, err := c.builders.Build(t.Context(), r)
		if err != nil && err.Error() != c.err || err == nil && c.err != "" {
			t.Errorf("%v %s:\n got %v\nwant %s", c.builders, c.selected, err, c.err)
		}
		if res.Choice != c.want || printed != c.want {
			t.Errorf("%v %s: the result has %v, the header %v, want %v", c.builders, c.selected, res.Choice, printed, c.want)
		}
		if c.err == "" && (res.ImageID != "image by "+c.want.Builder || res.FilesChanged != 3) {
			t.Errorf("%v: %+v", c.builders, res)
		}
	}
	if res, err := (Builders{one}).Build(t.Context(), Request{}); err != nil || res.ImageID != "image by one" {
		t.Errorf("without a header: %+v, %v", res, err)
	}
}

// TestChoice: the line of a push names the builder when another one was possible too.
func TestChoice(t *testing.T) {
	for _, c := range []struct {
		choice Choice
		want   string
	}{
		{Choice{Builder: Dockerfile, Reason: "Dockerfile"}, "from Dockerfile"},
		{Choice{Builder: Dockerfile, Reason: "Dockerfile", Over: "railpack from railpack.json"}, "with dockerfile from Dockerfile, not with railpack from railpack.json"},
		{Choice{Builder: Dockerfile, Reason: "deploy/Dockerfile", Selected: true}, "with dockerfile from deploy/Dockerfile, selected by builder:set"},
		{Choice{Builder: Pack, Reason: "project.toml"}, "with pack from project.toml"},
		{Choice{Builder: Pack, Selected: true}, "with pack, selected by builder:set"},
		{Choice{Builder: Herokuish, Reason: "package.json"}, "with herokuish from package.json"},
	} {
		if got := c.choice.String(); got != c.want {
			t.Errorf("%+v: %s, want %s", c.choice, got, c.want)
		}
	}
}

// TestHint: the error of a revision that no builder detects names what it has, and the way
// to build that.
func TestHint(t *testing.T) {
	no := fake{name: "no", reason: "it has no x"}
	pack := fake{name: Pack, reason: "it has no project.toml"}
	herokuish := fake{name: Herokuish}
	for _, c := range []struct {
		builders Builders
		files    buildtest.Files
		want     string
	}{
		{Builders{no}, buildtest.Files{"a": "1", "b/package.json": "1"}, ""},
		{Builders{no}, buildtest.Files{"a": "1", "package.json": "{}"}, "; it has package.json (Node.js)"},
		{Builders{no, pack}, buildtest.Files{"go.mod": "module a"},
			"; it has no project.toml; it has go.mod (Go), which buildpacks can build: dokku builder:set hello selected pack"},
		{Builders{herokuish, no, pack}, buildtest.Files{"requirements.txt": "x", "go.mod": "x"},
			"; it has no project.toml; it has requirements.txt (Python), which buildpacks can build: dokku builder:set hello selected herokuish"},
	} {
		_, _, err := c.builders.Choose(t.Context(), revision(t, c.files))
		if want := "cannot build 3f2c1d9: it has no x" + c.want; err == nil || err.Error() != want {
			t.Errorf("%v:\n got %v\nwant %s", c.files, err, want)
		}
	}
}

// slow is a builder that builds until it is stopped.
type slow struct{ fake }

func (slow) Build(ctx context.Context, _ Request) (Result, error) {
	<-ctx.Done()
	return Result{}, context.Cause(ctx)
}

// TestLimitOfTime: a build that takes too long ends with an error that says so.
func TestLimitOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		_, err := Builders{slow{fake{name: "slow", fits: true}}}.Build(t.Context(), Request{Limits: Limits{Time: 30 * time.Minute}})
		const want = "the build took longer than 30m0s, which is the limit of this server; make it quicker, or on the server: dokku builder:set --global build-timeout SECONDS"
		if err == nil || err.Error() != want || time.Since(begun) != 30*time.Minute {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
	})
}

// TestChosen: a build that its caller does not want does not begin.
func TestChosen(t *testing.T) {
	no := errors.New("no")
	var got Choice
	r := Request{Chosen: func(c Choice) error { got = c; return no }, Header: func(Header) { t.Error("the build begins") }}
	_, err := Builders{fake{name: "pack", reason: "project.toml", fits: true}}.Build(t.Context(), r)
	if !errors.Is(err, no) || got.Builder != "pack" || !got.FindsProcesses() || (Choice{Builder: "dockerfile"}).FindsProcesses() {
		t.Errorf("%+v, %v", got, err)
	}
}
