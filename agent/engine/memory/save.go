package memory

import (
	"context"
	"dokku/agent/engine"
	"encoding/json"
	"fmt"
	"io"
)

// savedImage is an image as Memory saves it, a line each.
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

// Load implements Archives.
func (m *Engine) Load(ctx context.Context, r io.Reader) error {
	_, err := call(ctx, m, func() (none struct{}, err error) {
		var all []savedImage
		dec := json.NewDecoder(r)
		for dec.More() {
			var i savedImage
			if err := dec.Decode(&i); err != nil || i.ID == "" {
				return none, fmt.Errorf("cannot load images: this is none (%v)", err)
			}
			all = append(all, i)
		}
		if len(all) == 0 {
			return none, fmt.Errorf("cannot load images: there is none")
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, i := range all {
			if m.image(i.ID) == nil {
				m.images = append(m.images, &memoryImage{ImageInfo: i.ImageInfo, app: i.App})
			}
		}
		return none, nil
	}, "Load")
	return err
}
