package enginetest

import (
	"fmt"
	"testing"

	"dokku/agent/engine"
)

func image(t *testing.T, r *run) {
	a := r.app(t)
	info, err := a.Host.Image(a.ctx, a.image)
	a.ok(err)
	equal(t, "id", info.ID, a.image)
	equal(t, "ports", fmt.Sprint(info.Ports), "[80 8080]")

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

	untagged := r.Image(t, a.name)
	equal(t, "images", len(a.observe().Images), 2)
	a.remove(engine.ImageKind, untagged)
	_, err = a.Host.Image(a.ctx, untagged)
	a.fails(err, engine.ErrNoImage)
}

// imageOfTwo: an image belongs to the apps that its names say, whatever its
// label says, and each of them gives up only its own.
func imageOfTwo(t *testing.T, r *run) {
	a, b := r.app(t), r.app(t)
	id := r.Image(t, a.name)
	images := func(x *app, want ...engine.Image) {
		t.Helper()
		equal(t, "images of "+x.name, fmt.Sprint(x.observe().Images), fmt.Sprint(want))
	}
	one, two := "dokku/"+a.name+":1", "dokku/"+b.name+":1"
	images(a, engine.Image{ID: id, App: a.name, Tags: nil})
	images(b)
	a.ok(a.Host.Tag(a.ctx, id, one))
	a.ok(a.Host.Tag(a.ctx, id, two))
	images(a, engine.Image{ID: id, App: a.name, Tags: []string{one, two}})
	images(b, engine.Image{ID: id, App: b.name, Tags: []string{one, two}})

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
