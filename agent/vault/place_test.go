package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/vault/vaulttest"
)

// newS3 starts a server of S3 that checks signatures and has the bucket "backups".
func newS3(t testing.TB, wrap func(http.Handler) http.Handler) Access {
	t.Helper()
	url, end, err := vaulttest.S3(wrap)
	check(t, err)
	t.Cleanup(end)
	return Access{Key: vaulttest.Key, Secret: vaulttest.Secret, Region: "us-east-1", Endpoint: url}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// places are a new one of each kind.
func places(t *testing.T) map[string]Plan {
	return map[string]Plan{
		"folder":      {Place: filepath.Join(t.TempDir(), "kept")},
		"bucket":      {Place: "s3://backups", Access: newS3(t, nil)},
		"in a bucket": {Place: "s3://backups/host/a", Access: newS3(t, nil)},
	}
}

// TestPlaces is the suite of Place.
func TestPlaces(t *testing.T) {
	for name, p := range places(t) {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			place, err := Open(p)
			check(t, err)
			if list, err := place.List(ctx, "server"); err != nil || len(list) > 0 {
				t.Errorf("an empty place has %v, %v", list, err)
			}
			if err := missing(ctx, place, "server/x"); !errors.Is(err, ErrNone) {
				t.Errorf("a missing file: %v", err)
			}
			check(t, place.Remove(ctx, "server/x"))
			big := strings.Repeat("0123456789abcdef", 10<<20/16) // two parts
			for name, text := range map[string]string{"server/b": big, "server/a": "a", "serverless/c": "c", "server/sub/d": "d", "postgres/db/a": "d"} {
				check(t, place.Put(ctx, name, strings.NewReader(text), 0))
				if got := read(t, place, name); got != text {
					t.Errorf("%s: got %d bytes, want %d", name, len(got), len(text))
				}
			}
			list, err := place.List(ctx, "server")
			check(t, err)
			if want := []File{{"server/a", 1}, {"server/b", int64(len(big))}}; !slices.Equal(list, want) {
				t.Errorf("the list is %v", list)
			}
			check(t, place.Remove(ctx, "server/a"))
			if err := missing(ctx, place, "server/a"); !errors.Is(err, ErrNone) {
				t.Errorf("a removed file: %v", err)
			}
			// A source that fails, early or late, leaves no file.
			cause := errors.New("the disk is full")
			for _, n := range []int64{0, 1000, 12 << 20} {
				r := io.MultiReader(io.LimitReader(zeros{}, n), failing{cause})
				if err := place.Put(ctx, "server/half", r, 0); !errors.Is(err, cause) {
					t.Errorf("after %d bytes: %v", n, err)
				}
				if err := missing(ctx, place, "server/half"); !errors.Is(err, ErrNone) {
					t.Errorf("half a file is there after %d bytes: %v", n, err)
				}
			}
			ended, cancel := context.WithCancel(ctx)
			cancel()
			if err := place.Put(ended, "server/late", strings.NewReader("x"), 0); !errors.Is(err, context.Canceled) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func read(t *testing.T, place Place, name string) string {
	t.Helper()
	r, err := place.Get(t.Context(), name)
	check(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	check(t, err)
	return string(data)
}

// missing returns the error of reading a file.
func missing(ctx context.Context, place Place, name string) error {
	r, err := place.Get(ctx, name)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := io.ReadAll(r); err != nil {
		return err
	}
	return fmt.Errorf("%s is there", name)
}

// TestRefusedS3: what is wrong at the other end is said with what to do.
func TestRefusedS3(t *testing.T) {
	good := newS3(t, nil)
	for want, change := range map[string]func(*Plan){
		"has no bucket missing: create it there":     func(p *Plan) { p.Place = "s3://missing" },
		"refuses the access key for the bucket":      func(p *Plan) { p.Access.Secret = "wrong" },
		"there is no access key for S3 yet":          func(p *Plan) { p.Access.Key = "" },
		"is not one of the public internet":          func(p *Plan) { p.Access.Public = true },
		"there is no place for backups yet":          func(p *Plan) { p.Place = "" },
		"is no place for backups: write s3://":       func(p *Plan) { p.Place = "s3://Bad_Name" },
		"is no place for backups: name a bucket, s3": func(p *Plan) { p.Place = "backups" },
		"is no endpoint of S3: write its URL":        func(p *Plan) { p.Access.Endpoint = "10.0.0.5:9000" },
	} {
		p := Plan{Place: "s3://backups", Access: good}
		change(&p)
		place, err := Open(p)
		if err == nil {
			err = place.Put(t.Context(), "server/a", strings.NewReader("a"), 0)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// TestFullFolder: a backup ends before it fills the disk, and leaves nothing.
func TestFullFolder(t *testing.T) {
	defer func(old func(string) (int64, error)) { freeSpace = old }(freeSpace)
	left := int64(leastFree) + 1
	freeSpace = func(string) (int64, error) { left -= partSize; return left + partSize, nil }
	p := Plan{Place: filepath.Join(t.TempDir(), "kept")}
	place, err := Open(p)
	check(t, err)
	err = place.Put(t.Context(), "postgres/db/a", io.LimitReader(zeros{}, 64<<20), 0)
	if err == nil || !strings.Contains(err.Error(), "is full but for ") {
		t.Errorf("got the error %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(p.Place, "postgres", "db")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestFolderIsPrivate: backups have secrets.
func TestFolderIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "kept")
	place, err := Open(Plan{Place: dir})
	check(t, err)
	check(t, place.Put(t.Context(), "server/a", strings.NewReader("a"), 0))
	for _, path := range []string{dir, filepath.Join(dir, "server"), filepath.Join(dir, "server", "a")} {
		i, err := os.Stat(path)
		check(t, err)
		if i.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has the mode %s", path, i.Mode())
		}
	}
}
