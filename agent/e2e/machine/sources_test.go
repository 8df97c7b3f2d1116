package machine

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http/cgi"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/memory"
	"dokku/agent/event"
	"dokku/agent/sources"
	"dokku/build/source"
)

// sourceImage is the image that git:from-image deploys.
var sourceImage = engine.ImageInfo{ID: "sha256:" + strings.Repeat("5", 64), Ports: []int{8080}}

// importer returns what deploys without a push. git's part is played as for a push.
func (m *machine) importer() *sources.Importer {
	return &sources.Importer{Server: m.server, Send: func(ctx context.Context, p sources.Push) error {
		made, err := packOf(p.Repo)
		if err != nil {
			return err
		}
		return m.send(ctx, deploy.Push{App: p.App, Refs: p.Refs, Origin: &p.Origin},
			made, event.Log{})
	}}
}

// fromImage deploys an image that a registry has.
func (m *machine) fromImage(ctx context.Context, name string) error {
	m.engine.SetRegistry("registry.test/web:1", sourceImage, engine.RegistryAuth{})
	return m.importer().FromImage(ctx, name, sources.Image{Name: "registry.test/web:1"}, event.Log{})
}

// loadImage deploys an image from an archive of docker save, which has the image under two
// names.
func (m *machine) loadImage(ctx context.Context, name string) error {
	other := memory.New()
	other.SetImage("", sourceImage)
	var saved bytes.Buffer
	if err := other.Save(ctx, []string{sourceImage.ID}, &saved); err != nil {
		return err
	}
	named, err := renamed(saved.Bytes(), "registry.test/web:1", "other.test/web:1")
	if err != nil {
		return err
	}
	return m.importer().LoadImage(ctx, name, sources.Image{Name: "registry.test/web:1"}, named, event.Log{})
}

// renamed gives the only image of an archive of docker save names.
func renamed(archive []byte, names ...string) (io.Reader, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return &out, w.Close()
		}
		data, rerr := io.ReadAll(r)
		if h.Name == "manifest.json" {
			var list []map[string]any
			err = errors.Join(err, json.Unmarshal(data, &list))
			list[0]["RepoTags"] = names
			data, _ = json.Marshal(list)
			h.Size = int64(len(data))
		}
		if err = errors.Join(err, rerr, w.WriteHeader(h)); err != nil {
			return nil, err
		}
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
	}
}

// fromArchive deploys an archive with the next revision's files.
func (m *machine) fromArchive(ctx context.Context, name string) error {
	var data bytes.Buffer
	w := tar.NewWriter(&data)
	for _, f := range [][2]string{{"Dockerfile", "FROM scratch\n# archive\n"}, {"Procfile", "web: serve\nworker: work\n"}} {
		file, text := f[0], f[1]
		if err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o644, Size: int64(len(text))}); err != nil {
			return err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return m.importer().FromArchive(ctx, name, sources.Archive{Type: "tar", Stdin: &data}, event.Log{})
}

func (m *machine) syncWith(ctx context.Context, h history, name string) error {
	return m.importer().Sync(ctx, name, sources.Sync{Remote: h.url, Ref: h.two, Build: true, IfChanged: true}, event.Log{})
}

// serveHistory answers for the repository by http until the test's end.
func serveHistory(t *testing.T, dir string) (url string) {
	t.Helper()
	path, err := exec.LookPath("git")
	check(t, err)
	s := httptest.NewServer(&cgi.Handler{Path: path, Args: []string{"http-backend"}, Env: []string{"GIT_PROJECT_ROOT=" + dir, "GIT_HTTP_EXPORT_ALL=1",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}, Stderr: &bytes.Buffer{}})
	t.Cleanup(s.Close)
	return s.URL + "/.git"
}

// staging are the folders of commands that deploy without a push, and of detached pushes.
func (m *machine) staging() []string {
	left, _ := filepath.Glob(m.server.Env.Store.Own("source-*"))
	more, _ := filepath.Glob(m.server.Env.Store.Own("detached-*"))
	return append(left, more...)
}

// TestSourceImageIsKept: the image under a release stays as long as the release, under
// whatever name, and goes with it.
func TestSourceImageIsKept(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	ctx := t.Context()
	check(t, m.fromImage(ctx, "shop"))
	has := func() bool {
		o, err := m.engine.Observe(ctx, "shop")
		check(t, err)
		for _, i := range o.Images {
			if i.ID == sourceImage.ID {
				return true
			}
		}
		return false
	}
	m.settle()
	a, err := m.server.Load("shop")
	check(t, err)
	if r := a.Current; r.SourceImage != sourceImage.ID || r.Cause != "git:from-image" || *r.Source != (app.Source{Kind: "docker-image", From: "registry.test/web:1"}) {
		t.Errorf("the release is %+v, from %+v", r, r.Source)
	}
	if !has() {
		t.Error("the image of the current release is gone")
	}
	check(t, m.server.Rebuild(ctx, "shop", event.Log{}))
	a, err = m.server.Load("shop")
	check(t, err)
	if a.Current.SourceImage != sourceImage.ID || a.Current.Source == nil {
		t.Errorf("ps:rebuild forgets the image: %+v", a.Current)
	}
	check(t, m.fromArchive(ctx, "shop"))
	m.settle()
	if !has() {
		t.Error("the image of a kept release is gone")
	}
	check(t, m.server.Env.Store.UpdateSettings(ctx, func(set *app.Settings) error { set.KeepReleases = 1; return nil }))
	m.settle()
	if has() {
		t.Error("the image of a release that is no longer kept is still there")
	}
	check(t, m.atRest())
}

// TestClientNamesAnImage: a client that pushes the Dockerfile of git:from-image gets no image
// of this server by its id.
func TestClientNamesAnImage(t *testing.T) {
	m := newMachine(t, newHistory(t))
	m.engine.SetRegistry("registry.test/web:1", sourceImage, engine.RegistryAuth{})
	client := m.importer()
	client.Send = func(ctx context.Context, p sources.Push) error {
		made, err := packOf(p.Repo)
		check(t, err)
		return m.send(ctx, deploy.Push{App: p.App, Refs: p.Refs}, made, event.Log{})
	}
	check(t, client.FromImage(t.Context(), "shop", sources.Image{Name: "registry.test/web:1"}, event.Log{}))
	a, err := m.server.Load("shop")
	check(t, err)
	if r := a.Current; r.Cause != "push" || r.SourceImage != "" || r.Source != nil {
		t.Errorf("the release is %+v", r)
	}
	check(t, m.server.Rebuild(t.Context(), "shop", event.Log{}))
	if a, err = m.server.Load("shop"); err != nil || a.Current.SourceImage != "" {
		t.Errorf("after ps:rebuild: %+v, %v", a.Current, err)
	}
}

// send does git's part for a push with this pack.
func (m *machine) send(ctx context.Context, p deploy.Push, made pack, log event.Log) error {
	objects, err := m.receive(p.App, made)
	if err != nil {
		return err
	}
	p.Objects = objects
	if err := m.server.Prepare(ctx, p, log); err != nil {
		m.dropQuarantine(objects)
		return err
	}
	if err := m.change("move the ref"); err != nil {
		return err
	}
	if err := m.accept(p.App, p.Refs[0].New, made, objects); err != nil {
		return err
	}
	return m.server.Reconcile(context.WithoutCancel(ctx), p.App, log) // as post-receive does
}

func (m *machine) dropQuarantine(o source.Options) {
	if o.ObjectDir != "" && m.powered() == nil {
		m.server.Env.Store.Disk.RemoveAll(o.ObjectDir)
	}
}
