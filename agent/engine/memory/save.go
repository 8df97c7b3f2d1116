package memory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"dokku/agent/engine"
)

// savedImage is an image as Engine saves it, a line each.
type savedImage struct {
	engine.ImageInfo
	App string
}

// Save implements Archives.
func (m *Engine) Save(ctx context.Context, ids []string, w io.Writer) error {
	saved, err := call(ctx, m, func() (saved []savedImage, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, id := range ids {
			i := m.image(id)
			if i == nil {
				return nil, fmt.Errorf("cannot save image %s: %w (%s)", engine.Short(id), engine.ErrNoImage, engine.Short(id))
			}
			saved = append(saved, savedImage{i.ImageInfo, i.app})
		}
		return saved, nil
	}, "Save", ids)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(w)
	for _, i := range saved {
		if err := enc.Encode(i); err != nil {
			return fmt.Errorf("cannot save %d images: %w", len(ids), err)
		}
	}
	return nil
}

// Load implements Archives. Renumber changes the ids.
func (m *Engine) Load(ctx context.Context, r io.Reader) (map[string]string, error) {
	return call(ctx, m, func() (ids map[string]string, err error) {
		var all []savedImage
		dec := json.NewDecoder(r)
		for dec.More() {
			var i savedImage
			if err := dec.Decode(&i); err != nil || i.ID == "" {
				return nil, fmt.Errorf("cannot load images: this is none (%v)", err)
			}
			all = append(all, i)
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("cannot load images: there is none")
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		ids = map[string]string{}
		for _, i := range all {
			saved := i.ID
			if m.renumber != nil {
				i.ID = m.renumber(saved)
			}
			if ids[saved] = i.ID; m.image(i.ID) == nil {
				m.images = append(m.images, &localImage{ImageInfo: i.ImageInfo, app: i.App})
			}
		}
		return ids, nil
	}, "Load")
}

// Renumber makes Load give images other ids than they were saved with, as an engine with
// another kind of image store does.
func (m *Engine) Renumber(id func(saved string) string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.renumber = id
}
