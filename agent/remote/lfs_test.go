package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/build/source"
)

// lfsServer answers the batch API below /lfs, and has contents by OID below /files.
func lfsServer(t *testing.T, contents map[string]string, asked *[]string) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	mux.HandleFunc("POST /lfs/objects/batch", func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Operation string
			Objects   []struct {
				OID  string
				Size int64
			}
		}
		must(t, json.NewDecoder(r.Body).Decode(&q))
		user, password, _ := r.BasicAuth()
		*asked = append(*asked, fmt.Sprintf("%s %d %s:%s %s", q.Operation, len(q.Objects), user, password, r.Header.Get("Accept")))
		if password == "wrong" {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"message": "Credentials needed"}`)
			return
		}
		var objects []map[string]any
		for _, o := range q.Objects {
			object := map[string]any{"oid": o.OID, "size": o.Size}
			if _, ok := contents[o.OID]; ok {
				object["actions"] = map[string]any{"download": map[string]any{"href": s.URL + "/files/" + o.OID, "header": map[string]string{"Authorization": "Bearer " + o.OID[:4]}}}
			} else {
				object["error"] = map[string]any{"code": 404, "message": "Object does not exist"}
			}
			objects = append(objects, object)
		}
		w.Header().Set("Content-Type", "application/vnd.git-lfs+json")
		must(t, json.NewEncoder(w).Encode(map[string]any{"transfer": "basic", "objects": objects}))
	})
	mux.HandleFunc("GET /files/{oid}", func(w http.ResponseWriter, r *http.Request) {
		oid := r.PathValue("oid")
		if r.Header.Get("Authorization") != "Bearer "+oid[:4] {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		fmt.Fprint(w, contents[oid])
	})
	return s
}

func object(path, text string) source.LFSObject {
	sum := sha256.Sum256([]byte(text))
	return source.LFSObject{Path: path, OID: hex.EncodeToString(sum[:]), Size: int64(len(text))}
}

// TestFetchLFS: objects come once, in batches, with the host's password, and are what they
// say they are.
func TestFetchLFS(t *testing.T) {
	b := newBench(t, false, "")
	contents := map[string]string{}
	var objects []source.LFSObject
	for n := range 101 {
		o := object(fmt.Sprintf("d/%d", n), fmt.Sprintf("content %d", n))
		contents[o.OID] = fmt.Sprintf("content %d", n)
		objects = append(objects, o)
	}
	var asked []string
	s := lfsServer(t, contents, &asked)
	b.allow("secret", s.URL)
	q := source.LFSRequest{URL: s.URL + "/lfs/", File: ".lfsconfig", Line: 2, Objects: append(objects, objects[0])}
	files, err := b.LFS(t.Context(), q)
	must(t, err)
	for _, o := range objects {
		text, err := os.ReadFile(files[o.OID])
		if err != nil || string(text) != contents[o.OID] {
			t.Errorf("%s is %q, %v", o.Path, text, err)
		}
	}
	want := "[download 100 bot:secret application/vnd.git-lfs+json download 1 bot:secret application/vnd.git-lfs+json]"
	if fmt.Sprint(asked) != want {
		t.Errorf("it asks %v, want %v", asked, want)
	}
	b.term.Close()
	if want := "-----> Fetching the content of d/0 and 100 more from " + s.URL + "/lfs\n"; b.printed.String() != want {
		t.Errorf("it printed %q, want %q", b.printed, want)
	}
	s.Close()
	again, err := b.LFS(t.Context(), q)
	if err != nil || fmt.Sprint(again) != fmt.Sprint(files) {
		t.Errorf("what is in the cache is asked for again: %v", err)
	}
	b.tidy()
	b.used = nil
	if !b.has(filepath.Join(dirLFS, objects[0].OID)) {
		t.Error("the cache has lost an object")
	}
}

// TestFetchLFSRefused: the text names the file, and nothing is kept.
func TestFetchLFSRefused(t *testing.T) {
	good := object("big.bin", "content")
	otherText, short, long, none := object("other.bin", "contenT"), object("short.bin", "1234567"), object("long.bin", "12345"), object("none.bin", "x")
	var asked []string
	s := lfsServer(t, map[string]string{good.OID: "content", otherText.OID: "content", short.OID: "123", long.OID: "1234567"}, &asked)
	shown := s.URL + "/lfs"
	html := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	defer html.Close()
	for _, c := range []struct {
		name, password, url string
		object              source.LFSObject
		want                string
	}{
		{"another content", "x", "", otherText, "other.bin: its content " + otherText.OID[:7] + " at " + shown + ": the server sends another content, whose SHA-256 is " + good.OID},
		{"too short", "x", "", short, "short.bin: its content " + short.OID[:7] + " at " + shown + ": the server sends 3 of its 7 bytes"},
		{"too long", "x", "", long, "long.bin: its content " + long.OID[:7] + " at " + shown + ": the server sends more than its 5 bytes"},
		{"missing", "x", "", none, "none.bin: its content " + none.OID[:7] + " at " + shown + ": the server answers 404: Object does not exist; push it there: git lfs push --all <remote>"},
		{"wrong password", "wrong", "", good, "big.bin: it is a Git LFS pointer, and its server " + shown + " answers 401 Unauthorized: Credentials needed\nIf it is private: dokku git:auth " + s.URL + " USER PASSWORD"},
		{"no server of LFS", "x", html.URL, good, "big.bin: it is a Git LFS pointer, and its server " + html.URL + " does not answer as a server of LFS: is its address right?"},
		{"private address", "", "", good, "big.bin: it is a Git LFS pointer, and its server " + shown + " does not answer: the host 127.0.0.1 is not allowed, and its address 127.0.0.1 is not one of the public internet"},
		{"file", "x", "file:///etc", good, "big.bin: it is a Git LFS pointer, and its server in .lfsconfig, line 2, is file:///etc: give an address of https or http"},
		{"password in the address", "x", "ftp://bot:s3cret@example.com/", good, "big.bin: it is a Git LFS pointer, and its server in .lfsconfig, line 2, is ftp://example.com/: give"},
		{"query", "x", "https://example.com/api/v1/user/keys?x=", good, "big.bin: it is a Git LFS pointer, and its server in .lfsconfig, line 2, is https://example.com/api/v1/user/keys?x=: give an address without ? and #"},
		{"fragment", "x", "https://example.com/api#", good, "big.bin: it is a Git LFS pointer, and its server in .lfsconfig, line 2, is https://example.com/api#: give an address without ? and #"},
		{"none", "x", "-", good, "big.bin: it is a Git LFS pointer, and nothing says where its content is; name your server of LFS: git config -f .lfsconfig lfs.url https://..."},
		{"too large", "x", "", source.LFSObject{Path: "huge.bin", OID: strings.Repeat("a", 64), Size: DefaultMaxSize + 1},
			"huge.bin: what Git LFS has to fetch with it is too much: it has more than 2.1 GB; to allow more: dokku git:set --global fetch-max-size BYTES"},
	} {
		b := newBench(t, false, "")
		if c.password != "" {
			b.allow(c.password, s.URL)
		}
		q := source.LFSRequest{URL: shown, File: ".lfsconfig", Line: 2, Objects: []source.LFSObject{c.object}}
		if c.url != "" {
			q.URL = strings.TrimPrefix(c.url, "-")
		}
		_, err := b.LFS(t.Context(), q)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		b.tidy()
		if kept, _ := os.ReadDir(filepath.Join(b.Cache, dirLFS)); len(kept) > 0 {
			t.Errorf("%s: the cache has %v", c.name, kept)
		}
	}
}

// TestLFSPassword: .lfsconfig, or a server of the pusher's in its answer, named any port and path of a host
// with a password, which went there, by http too. It goes to the server of LFS alone, by https or to a
// port that git:auth names.
func TestLFSPassword(t *testing.T) {
	b := newBench(t, false, "")
	b.allow("secret")
	o := object("a", "content")
	var asked []string
	s := lfsServer(t, map[string]string{o.OID: "content"}, &asked)
	_, err := b.LFS(t.Context(), source.LFSRequest{URL: s.URL + "/lfs", File: ".lfsconfig", Line: 2, Objects: []source.LFSObject{o}})
	if must(t, err); !strings.Contains(asked[0], "download 1 : ") {
		t.Errorf("it sends %q", asked)
	}
	var got []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, _, _ := r.BasicAuth()
		got = append(got, user+r.URL.Path)
		fmt.Fprint(w, "content")
	}))
	defer other.Close()
	b.allow("secret", s.URL, other.URL)
	from := &batchObject{}
	from.Actions.Download = &download{Href: other.URL + "/api"}
	if must(t, b.client(s.URL+"/lfs").download(t.Context(), from, o, filepath.Join(t.TempDir(), "x"))); fmt.Sprint(got) != "[/api]" {
		t.Errorf("another port gets %q", got)
	}
}

// TestEndpoint: without .lfsconfig, the server of LFS is that of the repository.
func TestEndpoint(t *testing.T) {
	for base, want := range map[string]string{
		"https://example.com/a/b":               "https://example.com/a/b.git/info/lfs",
		"https://example.com/a/b.git/":          "https://example.com/a/b.git/info/lfs",
		"https://bot:s3cret@example.com/a":      "https://bot:s3cret@example.com/a.git/info/lfs",
		"git@example.com:a/b.git":               "https://example.com/a/b.git/info/lfs",
		"ssh://git@example.com:2222/a/b":        "https://example.com/a/b.git/info/lfs",
		"ssh://git@[2001:db8::1]:2222/a/b.git/": "https://[2001:db8::1]/a/b.git/info/lfs",
	} {
		f := &Fetcher{Upstream: "https://example.com/upstream"}
		if got, err := f.endpoint(source.LFSRequest{Base: base}); got != want || err != nil {
			t.Errorf("%s: %s, %v, want %s", base, got, err, want)
		}
	}
	f := &Fetcher{Upstream: "https://example.com/upstream"}
	if got, err := f.endpoint(source.LFSRequest{}); got != "https://example.com/upstream.git/info/lfs" || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}
