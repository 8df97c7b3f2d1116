package enginetest

import (
	"testing"

	"dokku/agent/engine"
)

// written: what a container has written counts while it runs and after its end, until it is
// removed. Folders of the host, named volumes and tmpfs are not its own.
func written(t *testing.T, r *run) {
	a := r.app(t)
	measure := func(id string) int64 {
		t.Helper()
		size, err := a.Host.Written(a.ctx, id)
		a.ok(err)
		return size
	}
	s := a.spec(1, Program{Writes: []string{"/own"}})
	writer := a.start(s)
	volume := a.name + "-named"
	s = a.spec(2, Program{Writes: []string{"/data/x", "/scratch/y", "/named/z"}})
	s.Mounts = []engine.Mount{{Source: folder(t), Target: "/data"}, {Source: volume, Target: "/named"}}
	s.Options.Tmpfs = map[string]string{"/scratch": "size=1m,mode=1777"}
	other := a.start(s)
	defer a.RemoveVolume(t, volume)
	own := measure(writer.ID)
	if own < int64(len("written")) || own > 1<<20 {
		t.Errorf("it has written %d bytes", own)
	}
	equal(t, "what is written into mounts", measure(other.ID), 0)
	a.stop(writer.ID)
	equal(t, "after its end", measure(writer.ID), own)
	for _, id := range []string{writer.ID, other.ID} {
		a.remove(engine.Container, id)
	}
	_, err := a.Host.Written(a.ctx, writer.ID)
	a.fails(err, engine.ErrNoContainer, engine.Short(writer.ID))
}
