package buildkit

import (
	"fmt"
	"strings"

	control "github.com/moby/buildkit/api/services/control"

	"dokku/build/source"
)

// pull is the progress of a base image's layers, by digest.
type pull struct {
	layers     map[string]layer
	extracting int
}

type layer struct {
	current, total int64 // bytes
	done           bool
}

// note takes over a status. Engines name a layer by its digest, or put its kind
// before it ("layer-sha256:..."). Manifests and configurations are no layers.
func (p *pull) note(v *control.VertexStatus) {
	if strings.HasPrefix(v.ID, "extracting ") {
		switch {
		case v.Completed != nil:
			p.extracting--
		case v.Started != nil:
			p.extracting++
		}
		return
	}
	kind, digest, ok := strings.Cut(v.ID, "sha256:")
	if !ok || kind != "" && kind != "layer-" {
		return
	}
	if p.layers == nil {
		p.layers = map[string]layer{}
	}
	old := p.layers[digest]
	p.layers[digest] = layer{max(old.current, v.Current), max(old.total, v.Total), old.done || v.Completed != nil}
}

// active reports whether layers are on their way.
func (p *pull) active() bool { return len(p.layers) > 0 }

// text is "pulling node:22, 3 of 8 layers, 45 of 120 MB", or "extracting node:22".
func (p *pull) text(image string) string {
	done := 0
	var current, total int64
	for _, l := range p.layers {
		if l.done {
			done++
		}
		current += l.current
		total += max(l.total, l.current)
	}
	if done == len(p.layers) {
		return fmt.Sprintf("extracting %s, %s", image, source.Bytes(total))
	}
	return fmt.Sprintf("pulling %s, %d of %d layers, %s of %s", image, done, len(p.layers), source.Bytes(current), source.Bytes(total))
}
