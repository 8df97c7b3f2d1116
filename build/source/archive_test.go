package source

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// TestArchive: an archive has the files, links and folders of a tree with the modes
// that git knows, one owner and one time, and is the same each time.
func TestArchive(t *testing.T) {
	r := newRepo(t)
	s := r.open()
	c, err := s.Commit(r.Commit("", files{"100755 bin/run": "#!/bin/sh\n", "a.txt": "hello", "120000 link": "../out",
		"a/deep/" + strings.Repeat("n", 120): "long"}))
	if err != nil {
		t.Fatal(err)
	}
	tree, err := s.Tree(t.Context(), c, DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	owner := Owner{UID: 32767, GID: 1000, ModTime: time.Unix(1e9, 0)}
	archive := func(ctx context.Context) ([]byte, error) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		err := s.Archive(ctx, tree, owner, w)
		return b.Bytes(), errors.Join(err, w.Close())
	}
	first, err := archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for rd := tar.NewReader(bytes.NewReader(first)); ; {
		h, err := rd.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(rd)
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 32767 || h.Gid != 1000 || !h.ModTime.Equal(owner.ModTime) || h.Uname != "" {
			t.Errorf("%s: owner %d:%d %q, time %s", h.Name, h.Uid, h.Gid, h.Uname, h.ModTime)
		}
		got = append(got, fmt.Sprintf("%c %03o %.12s %s%.5s", h.Typeflag, h.Mode, h.Name, h.Linkname, b))
	}
	want := []string{"5 755 a/ ", "5 755 a/deep/ ", "0 644 a/deep/nnnnn long", "0 644 a.txt hello", "5 755 bin/ ", "0 755 bin/run #!/bi", "2 777 link ../out"}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("the archive has\n%q, want\n%q", got, want)
	}
	if second, err := archive(t.Context()); err != nil || !bytes.Equal(first, second) {
		t.Errorf("a second archive differs (%v)", err)
	}
	gone := errors.New("the client went away")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	if _, err := archive(ctx); !errors.Is(err, gone) {
		t.Errorf("cancelled: %v", err)
	}
}
