package enginetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"dokku/agent/engine"
)

func image(t *testing.T, r *run) {
	a := r.app(t)
	info, err := a.Host.Image(a.ctx, a.image)
	a.ok(err)
	equal(t, "id", info.ID, a.image)
	equal(t, "ports", fmt.Sprint(info.Ports), "[80 8080]")
	equal(t, "exposed ports of all protocols", info.Weight.Ports, 3)

	tag := "dokku/" + a.name + ":latest"
	_, err = a.Host.Image(a.ctx, tag)
	a.fails(err, engine.ErrNoImage, tag)
	a.fails(a.Host.Tag(a.ctx, tag, tag), engine.ErrNoImage, tag)
	a.ok(a.Host.Tag(a.ctx, a.image, tag))
	a.ok(a.Host.Tag(a.ctx, a.image, tag))
	info, err = a.Host.Image(a.ctx, tag)
	a.ok(err)
	equal(t, "id by tag", info.ID, a.image)
}

func imageInUse(t *testing.T, r *run) {
	a := r.app(t)
	one, two := "dokku/"+a.name+":1", "dokku/"+a.name+":2"
	a.image = r.Image(t, a.name, one, two)
	i := a.start(a.spec(1, Program{OnStop: []string{"bye"}}))
	kept := func() {
		t.Helper()
		a.remove(engine.ImageKind, a.image)
		images := a.observe().Images
		want := []engine.Image{{ID: a.image, App: a.name, Tags: []string{one, two}}}
		equal(t, "images", fmt.Sprint(images), fmt.Sprint(want))
	}
	kept()
	a.stop(i.ID)
	kept()
	a.remove(engine.Container, i.ID)
	a.remove(engine.ImageKind, a.image)
	a.remove(engine.ImageKind, a.image)
	equal(t, "images", len(a.observe().Images), 0)
}

func imageNames(t *testing.T, r *run) {
	a := r.app(t)
	foreign := a.name + "/mine:keep"
	id := r.Image(t, a.name, "dokku/"+a.name+":1", foreign)
	a.remove(engine.ImageKind, id)
	info, err := a.Host.Image(a.ctx, foreign)
	a.ok(err)
	equal(t, "image that somebody tagged", info.ID, id)
	_, err = a.Host.Image(a.ctx, "dokku/"+a.name+":1")
	a.fails(err, engine.ErrNoImage)

	untagged := r.Image(t, a.name)
	equal(t, "images", len(a.observe().Images), 2)
	a.remove(engine.ImageKind, untagged)
	_, err = a.Host.Image(a.ctx, untagged)
	a.fails(err, engine.ErrNoImage)
}

// imageOfTwo: an image belongs to the apps in its names, whatever its label says, and each
// app gives up only its own names.
func imageOfTwo(t *testing.T, r *run) {
	a, b := r.app(t), r.app(t)
	id := r.Image(t, a.name)
	images := func(x *app, want ...engine.Image) {
		t.Helper()
		equal(t, "images of "+x.name, fmt.Sprint(x.observe().Images), fmt.Sprint(want))
	}
	one, two := "dokku/"+a.name+":1", "dokku/"+b.name+":1"
	names := []string{one, two}
	slices.Sort(names)
	images(a, engine.Image{ID: id, App: a.name, Tags: nil})
	images(b)
	a.ok(a.Host.Tag(a.ctx, id, one))
	a.ok(a.Host.Tag(a.ctx, id, two))
	images(a, engine.Image{ID: id, App: a.name, Tags: names})
	images(b, engine.Image{ID: id, App: b.name, Tags: names})

	b.image = id
	i := b.start(b.spec(1, Program{OnStop: []string{"bye"}}))
	a.ok(a.Host.Remove(a.ctx, engine.Resource{Kind: engine.ImageKind, ID: id, App: a.name}))
	images(a)
	images(b, engine.Image{ID: id, App: b.name, Tags: []string{two}})
	b.stop(i.ID)
	b.remove(engine.Container, i.ID)
	a.ok(a.Host.Remove(a.ctx, engine.Resource{Kind: engine.ImageKind, ID: id, App: b.name}))
	images(b)
	_, err := a.Host.Image(a.ctx, id)
	a.fails(err, engine.ErrNoImage)
}

// saveImages: an image that was saved and removed is restored with its id and ports, and
// belongs to the app of its label.
func saveImages(t *testing.T, r *run) {
	a := r.app(t)
	tag := "dokku/" + a.name + ":1"
	id := r.Image(t, a.name, tag)
	var saved bytes.Buffer
	a.ok(a.Host.Save(a.ctx, []string{id}, &saved))
	load := func() {
		t.Helper()
		ids, err := a.Host.Load(a.ctx, bytes.NewReader(saved.Bytes()))
		a.ok(err)
		equal(t, "id of the loaded image", ids[id], id)
	}
	load() // Loading an existing image changes nothing.
	equal(t, "images", fmt.Sprint(a.observe().Images), fmt.Sprint([]engine.Image{{ID: id, App: a.name, Tags: []string{tag}}}))

	a.remove(engine.ImageKind, id)
	_, err := a.Host.Image(a.ctx, id)
	a.fails(err, engine.ErrNoImage)
	load()
	info, err := a.Host.Image(a.ctx, id)
	a.ok(err)
	equal(t, "ports", fmt.Sprint(info.Ports), "[80 8080]")
	equal(t, "images", fmt.Sprint(a.observe().Images), fmt.Sprint([]engine.Image{{ID: id, App: a.name}}))
	a.image = id
	i := a.start(a.spec(1, Program{OnStop: []string{"bye"}}))
	a.stop(i.ID)
	a.remove(engine.Container, i.ID)
	a.remove(engine.ImageKind, id)
}

func saveNothing(t *testing.T, r *run) {
	a := r.app(t)
	var saved bytes.Buffer
	missing := "sha256:" + strings.Repeat("0", 64)
	a.fails(a.Host.Save(a.ctx, []string{a.image, missing}, &saved), engine.ErrNoImage)
	equal(t, "bytes of a save that failed", saved.Len(), 0)
	if _, err := a.Host.Load(a.ctx, strings.NewReader("no image at all")); err == nil {
		t.Error("what is no image was loaded")
	}
}

// commitImage: an image of a container has its files, and the entrypoint and the ports of
// the container's own image. That image has a name: without one, an engine removes it
// together with the last image made from it.
func commitImage(t *testing.T, r *run) {
	a := r.app(t)
	own := "dokku/" + a.name + ":own"
	a.image = r.Image(t, a.name, own)
	before, err := a.Host.Image(a.ctx, a.image)
	a.ok(err)
	s := a.once(Program{Writes: []string{"/built"}, Exits: true})
	s.RestartPolicy = "no"
	i, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	_, err = a.Host.Wait(a.ctx, i.ID)
	a.ok(err)
	id, err := a.Host.Commit(a.ctx, i.ID, a.image)
	a.ok(err)
	a.remove(engine.Container, i.ID)
	info, err := a.Host.Image(a.ctx, id)
	a.ok(err)
	equal(t, "ports and entrypoint", fmt.Sprint(info.Ports, info.Weight.Ports, info.Entrypoint), fmt.Sprint(before.Ports, before.Weight.Ports, before.Entrypoint))

	a.image = id
	read := a.spec(1, Program{Reads: []string{"/built"}, OnStop: []string{"bye"}})
	i = a.start(read)
	var out bytes.Buffer
	a.stop(i.ID)
	a.ok(a.Host.Logs(a.ctx, i.ID, engine.LogOptions{}, &out))
	equal(t, "output", out.String(), "read written from /built\nready\nbye\n")
	a.remove(engine.Container, i.ID)
	a.remove(engine.ImageKind, id)
	_, err = a.Host.Image(a.ctx, id)
	a.fails(err, engine.ErrNoImage)
	_, err = a.Host.Commit(a.ctx, i.ID, a.image)
	a.fails(err, engine.ErrNoImage)
	info, err = a.Host.Image(a.ctx, own)
	a.ok(err)
	equal(t, "the container's own image", info.ID, before.ID)
}
