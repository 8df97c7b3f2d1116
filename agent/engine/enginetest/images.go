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
