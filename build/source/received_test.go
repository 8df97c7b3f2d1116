package source

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"dokku/build/buildtest"
)

// received makes a pack as git has received it, and returns where it is.
func received(t testing.TB, p *buildtest.Pack) Options {
	r := newRepo(t)
	return Options{GitDir: r.Dir, ObjectDir: p.Quarantine(r.Repo)}
}

// TestDeltaBomb (P4): a pack of a few hundred bytes had a difference that makes 1 GiB, and
// go-git needed 3.3 GB to learn the size of the file. Its head alone is read now.
func TestDeltaBomb(t *testing.T) {
	for _, test := range []struct {
		times int
		want  string
	}{
		{2048, ""}, // 128 MiB
		{2049, "has 134283264 bytes and is stored as a difference from another one, for which the limit is 134217728; " +
			"run git -c core.bigFileThreshold=1m repack -adF in your repository and push again"},
		{5000, "has 328 MB and is stored as a difference"},
	} {
		p := &buildtest.Pack{}
		base := p.Add(buildtest.PackBlob, make([]byte, 1<<16))
		p.AddDelta(base, buildtest.Repeat(1<<16, test.times))
		err := CheckReceived(t.Context(), received(t, p), DefaultPackLimits)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%d times: %v, want %q", test.times, err, test.want)
		}
	}
}

// TestReceivedObjects: what each object of a push may be, whatever ref names it.
func TestReceivedObjects(t *testing.T) {
	small := PackLimits{Objects: 3, Blob: 1000, Delta: 1 << 20}
	for _, test := range []struct {
		name string
		fill func(*buildtest.Pack)
		want string
	}{
		{"fits", func(p *buildtest.Pack) { p.Add(buildtest.PackBlob, make([]byte, 1000)) }, ""},
		{"a large file", func(p *buildtest.Pack) { p.Add(buildtest.PackBlob, make([]byte, 1001)) },
			"has 1001 bytes, more than 1000 for a blob; remove it from the history"},
		{"a large commit", func(p *buildtest.Pack) {
			p.Add(buildtest.PackCommit, []byte("tree "+buildtest.ObjectID(buildtest.PackTree, nil)+"\n"+strings.Repeat("x", 1<<20)))
		}, "has 1048622 bytes, more than 1048576 for a commit; remove it from the history"},
		{"a large tag", func(p *buildtest.Pack) { p.Add(buildtest.PackTag, make([]byte, 1<<20+1)) },
			"has 1048577 bytes, more than 1048576 for a tag"},
		{"a large tree", func(p *buildtest.Pack) { p.Add(buildtest.PackTree, make([]byte, 32<<20+1)) },
			"has 33554433 bytes, more than 33554432 for a tree"},
		{"many objects", func(p *buildtest.Pack) {
			for n := range 4 {
				p.Add(buildtest.PackBlob, []byte{byte(n)})
			}
		}, "this push brings 4 objects, more than 3; push a part of the history first, or a shallow clone"},
	} {
		p := &buildtest.Pack{}
		test.fill(p)
		err := CheckReceived(t.Context(), received(t, p), small)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// nested is a tree of 10^levels files, in levels+1 objects.
func nested(p *buildtest.Pack, levels int) string {
	kind, id := "100644", p.Add(buildtest.PackBlob, []byte("x"))
	for range levels {
		var entries []string
		for n := range 10 {
			entries = append(entries, fmt.Sprintf("%s %d", kind, n), id)
		}
		kind, id = "40000", p.AddTree(entries...)
	}
	return id
}

// TestTips (P2): a branch that is never deployed had a tree of 10^10 files, which git
// upload-archive then unpacked. Whatever a ref names is counted, each tree once.
func TestTips(t *testing.T) {
	p := &buildtest.Pack{}
	blob := p.Add(buildtest.PackBlob, make([]byte, 1000))
	huge, fits := nested(p, 10), nested(p, 5)
	deep := p.AddTree("100644 f", blob)
	for range 64 {
		deep = p.AddTree("40000 d", deep)
	}
	deeper := p.AddTree("40000 d", deep)
	var long []string
	for c := byte('a'); c < 'f'; c++ {
		long = append(long, "100644 "+strings.Repeat(string(c), 200), blob)
	}
	path := p.AddTree(long...)
	for range 15 {
		path = p.AddTree("40000 "+strings.Repeat("d", 200), path)
	}
	tag := func(kind, id string) string {
		return p.Add(buildtest.PackTag, []byte("object "+id+"\ntype "+kind+"\ntag v1\ntagger A <a@example.com> 1700000000 +0000\n\nmessage\n"))
	}
	tags := tag("commit", p.AddCommit(fits))
	for range 10 {
		tags = tag("tag", tags)
	}
	empty := p.AddTree()
	tests := []struct{ name, tip, want string }{
		{"10^5 files", p.AddCommit(fits), ""},
		{"10^10 files", p.AddCommit(huge), "it has more than 200000 files and folders; remove what the app does not need"},
		{"a tag of them", tag("commit", p.AddCommit(huge)), "it has more than 200000 files and folders"},
		{"their tree itself", huge, "it has more than 200000 files and folders"},
		{"a file", blob, ""},
		{"nothing", p.AddCommit(empty), ""},
		{"64 folders", p.AddCommit(deep), ""},
		{"65 folders", p.AddCommit(deeper), "it has more than 64 folders inside one another; move them up"},
		{"a long path", p.AddCommit(path), "it has a path of 3215 bytes, more than 3072; shorten it"},
		{"tags of tags", tags, "it is a tag of a tag of a tag, more than 10 of them; tag the commit itself"},
	}
	s, err := Open(received(t, p))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	all := s.Tips(DefaultLimits)
	for _, test := range tests {
		err := all.Check(t.Context(), test.tip)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	total := DefaultLimits
	total.Total = 99_999
	if err := s.Tips(total).Check(t.Context(), fits); err == nil || err.Error() != "its files have more than 100 kB; remove what the app does not need" {
		t.Errorf("all files: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Tips(total).Check(ctx, fits); err != context.Canceled {
		t.Errorf("cancelled: %v", err)
	}
}

// TestHeavy: go-git holds all differences of an object in memory, and calls itself for each
// one: 16 MB of pack could make it need 16 GB, or more stack than a process may have. git
// itself reads such objects.
func TestHeavy(t *testing.T) {
	p := &buildtest.Pack{}
	first := strings.Repeat("0123456789abcdef", 4096)
	base := p.Add(buildtest.PackBlob, []byte(first))
	p.AddDelta(base, buildtest.Repeat(1<<16, 160))
	large := buildtest.ObjectID(buildtest.PackBlob, []byte(strings.Repeat(first, 160)))
	// Each difference replaces the whole of a small file.
	content := []byte("0000")
	id := p.Add(buildtest.PackBlob, content)
	for n := range maxChain + 1 {
		content = fmt.Appendf(nil, "%04d", n+1)
		p.AddDelta(id, append([]byte{4, 4, 4}, content...))
		id = buildtest.ObjectID(buildtest.PackBlob, content)
	}
	rev := p.AddCommit(p.AddTree("100644 chain", id, "100644 large", large, "100644 plain", base))
	s, err := Open(received(t, p))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Commit(rev)
	if err != nil {
		t.Fatal(err)
	}
	stats, err := s.Validate(t.Context(), c, DefaultLimits)
	if err != nil || stats.Files != 3 || stats.Bytes != 161<<16+4 {
		t.Fatalf("%+v, %v", stats, err)
	}
	if b, ok, err := s.Read(c, "chain", 10); err != nil || !ok || string(b) != "0501" {
		t.Errorf("the chain makes %q, %t, %v", b, ok, err)
	}
	before := s.store.heavies.Load()
	tree, err := s.Tree(t.Context(), c, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tree.Files {
		r, err := s.Blob(f.Blob)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, r)
		if err != nil || n != f.Size || r.Close() != nil {
			t.Errorf("%s: %d bytes, %v", f.Path, n, err)
		}
	}
	if n := s.store.heavies.Load() - before; n != 2 {
		t.Errorf("git reads %d objects, want 2", n)
	}
	s.store.heavies.Store(maxHeavy)
	if _, _, err := s.Read(c, "chain", 10); err == nil || !strings.Contains(err.Error(), "it has more than 2000 files that git stores as differences from large ones") {
		t.Errorf("too many: %v", err)
	}
}
