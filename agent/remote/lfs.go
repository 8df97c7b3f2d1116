package remote

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"

	"dokku/agent/event"
	"dokku/build/source"
)

// batchSize is how many objects a request asks for (git-lfs's own number), and maxAnswer
// the size of an answer in bytes.
const (
	batchSize = 100
	maxAnswer = 10 << 20
)

// lfsType is the media type of the batch API (git-lfs's docs/api/batch.md).
const lfsType = "application/vnd.git-lfs+json"

// LFS returns the files with the content of objects.
func (f *Fetcher) LFS(ctx context.Context, q source.LFSRequest) (map[string]string, error) {
	files := map[string]string{}
	var missing []source.LFSObject
	size, limit := int64(0), f.Limit.bytes()
	for _, o := range q.Objects {
		name := filepath.Join(dirLFS, o.OID)
		if files[o.OID] != "" {
			continue
		}
		files[o.OID] = filepath.Join(f.Cache, name)
		if f.has(name) {
			continue
		}
		missing = append(missing, o)
		if size += o.Size; size > limit {
			return nil, fmt.Errorf("%s: what Git LFS has to fetch with it is too much: %w", printable(o.Path), f.Limit.reached(limit))
		}
	}
	if len(missing) == 0 {
		return files, nil
	}
	first := missing[0].Path
	if f.Offline {
		return nil, fmt.Errorf("%s: it is a Git LFS pointer, whose content was not fetched", printable(first))
	}
	endpoint, err := f.endpoint(q)
	if err == nil && f.CheckOnly {
		return nil, nil
	}
	if err == nil {
		err = f.fetchLFS(ctx, endpoint, missing)
	}
	var known *objectError
	if err != nil && !errors.As(err, &known) && ctx.Err() == nil {
		err = fmt.Errorf("%s: it is a Git LFS pointer, and %w", printable(first), err)
	}
	return files, err
}

// An objectError names the path of the object that it is about.
type objectError struct{ error }

func (e *objectError) Unwrap() error { return e.error }

var errNoEndpoint = errors.New("nothing says where its content is; name your server of LFS: git config -f .lfsconfig lfs.url https://...; " +
	"commit the file itself (git lfs migrate export --include=<path>), or name it in .dockerignore if the app does not need it")

// endpoint returns the address of a repository's server of LFS: that of .lfsconfig, or the
// one that belongs to its own address (git-lfs's docs/api/server-discovery.md).
func (f *Fetcher) endpoint(q source.LFSRequest) (string, error) {
	text, base := q.URL, cmp.Or(q.Base, f.Upstream)
	if text == "" {
		if base == "" {
			return "", errNoEndpoint
		}
		a, err := Parse(base)
		if err != nil {
			return "", err
		}
		return a.lfs(), nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != schemeHTTPS && u.Scheme != schemeHTTP {
		return "", fmt.Errorf("its server in %s, line %d, is %s: give an address of https or http", q.File, q.Line, Hidden(text))
	}
	if u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#") { // what is added to it would not be its path
		return "", fmt.Errorf("its server in %s, line %d, is %s: give an address without ? and #", q.File, q.Line, Hidden(text))
	}
	return strings.TrimRight(text, "/"), nil
}

// lfs returns the address of the server of LFS that belongs to a repository. That of one
// with ssh is asked by https.
func (a Address) lfs() string {
	text := a.Text
	if a.Scheme == schemeSSH || a.Scheme == schemeGit {
		path := ""
		if u, err := url.Parse(a.Text); err == nil && u.Host != "" {
			path = u.Path
		} else {
			_, path, _ = strings.Cut(a.Text, ":")
		}
		host := hostname(a.Host)
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		text = "https://" + host + "/" + strings.TrimLeft(path, "/")
	}
	text = strings.TrimRight(text, "/")
	if !strings.HasSuffix(text, ".git") {
		text += ".git"
	}
	return text + "/info/lfs"
}

// A batchObject is an object in a request and an answer of the batch API.
type batchObject struct {
	OID     string `json:"oid"`
	Size    int64  `json:"size"`
	Actions struct {
		Download *download `json:"download,omitempty"`
	} `json:"actions,omitzero"`
	Error *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

type download struct {
	Href   string            `json:"href"`
	Header map[string]string `json:"header"`
}

// fetchLFS brings objects into the cache, one after the other.
func (f *Fetcher) fetchLFS(ctx context.Context, endpoint string, objects []source.LFSObject) error {
	ctx, cancel := f.within(ctx)
	defer cancel()
	shown := Hidden(endpoint)
	if err := f.At("fetch objects of LFS"); err != nil {
		return err
	}
	work, done, err := f.Staging()
	if err != nil {
		return err
	}
	defer done()
	f.Log.Step("Fetching the content of %s from %s", describe(objects), shown)
	defer f.Log.Busy("fetching from %s", shown)()
	c := f.client(endpoint)
	for len(objects) > 0 {
		n := min(batchSize, len(objects))
		links, err := c.batch(ctx, endpoint, objects[:n])
		if err != nil {
			return fmt.Errorf("its server %s %w", shown, cause(ctx, err))
		}
		for _, o := range objects[:n] {
			path := filepath.Join(work, o.OID)
			err := c.download(ctx, links[o.OID], o, path)
			if err == nil {
				f.Limit.used += o.Size
				err = f.keep(path, filepath.Join(dirLFS, o.OID))
			}
			if err != nil {
				return &objectError{fmt.Errorf("%s: its content %s at %s: %w", printable(o.Path), o.OID[:short], shown, cause(ctx, err))}
			}
		}
		objects = objects[n:]
	}
	return nil
}

// cause prefers why a context ended.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// describe names the first of some objects.
func describe(objects []source.LFSObject) string {
	text := printable(objects[0].Path)
	if n := len(objects); n > 1 {
		text += fmt.Sprintf(" and %d more", n-1)
	}
	return text
}

// batch asks where objects are.
func (c *client) batch(ctx context.Context, endpoint string, objects []source.LFSObject) (map[string]*batchObject, error) {
	var q struct {
		Operation string         `json:"operation"`
		Transfers []string       `json:"transfers"`
		Objects   []*batchObject `json:"objects"`
		Hash      string         `json:"hash_algo"`
	}
	q.Operation, q.Transfers, q.Hash = "download", []string{"basic"}, "sha256"
	for _, o := range objects {
		q.Objects = append(q.Objects, &batchObject{OID: o.OID, Size: o.Size})
	}
	body, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+"/objects/batch", bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("has an invalid address")
	}
	r.Header.Set("Accept", lfsType)
	r.Header.Set("Content-Type", lfsType)
	answer, err := c.do(r)
	if err != nil {
		return nil, fmt.Errorf("does not answer: %w", err)
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("breaks off: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, refusal(answer, data, r.URL)
	}
	var a struct {
		Transfer string         `json:"transfer"`
		Objects  []*batchObject `json:"objects"`
	}
	if err := json.Unmarshal(data, &a); err != nil || a.Transfer != "" && a.Transfer != "basic" {
		return nil, errors.New("does not answer as a server of LFS: is its address right?")
	}
	links := map[string]*batchObject{}
	for _, o := range a.Objects {
		links[o.OID] = o
	}
	return links, nil
}

// refusal says what a server of LFS says.
func refusal(answer *http.Response, data []byte, u *url.URL) error {
	var said struct {
		Message string `json:"message"`
	}
	text := "answers " + answer.Status
	if json.Unmarshal(data, &said) == nil && said.Message != "" {
		text += ": " + event.OneLine(said.Message)
	}
	if answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusNotFound {
		text += "\nIf it is private: dokku git:auth " + stored(u) + " USER PASSWORD"
	}
	return errors.New(text)
}
