package memory

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"dokku/agent/engine"
)

// savedImage is an image in an archive: its configuration.
type savedImage struct {
	engine.ImageInfo
	App string
}

// listed is an image in the manifest.json of an archive, as docker save writes it.
type listed struct {
	Config   string
	RepoTags []string
}

// fileManifest lists the images of an archive.
const fileManifest = "manifest.json"

// Save implements Archives. The archive has the form of docker save's, without layers.
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
	if err := writeArchive(w, saved); err != nil {
		return fmt.Errorf("cannot save %d images: %w", len(ids), err)
	}
	return nil
}

func writeArchive(to io.Writer, images []savedImage) error {
	w := tar.NewWriter(to)
	put := func(name string, v any) error {
		data, err := json.Marshal(v)
		if err == nil {
			err = w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data))})
		}
		if err == nil {
			_, err = w.Write(data)
		}
		return err
	}
	list := []listed{}
	for n, i := range images {
		file := fmt.Sprintf("%d.json", n)
		if err := put(file, i); err != nil {
			return err
		}
		list = append(list, listed{Config: file})
	}
	return errors.Join(put(fileManifest, list), w.Close())
}

// readArchive returns the images of an archive with their names.
func readArchive(r io.Reader) (images []savedImage, names [][]string, err error) {
	var list []listed
	files := map[string]savedImage{}
	for entries := tar.NewReader(r); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && h.Typeflag == tar.TypeDir {
			continue
		}
		if err == nil && h.Name == fileManifest {
			err = json.NewDecoder(entries).Decode(&list)
		} else if err == nil {
			var i savedImage
			err = json.NewDecoder(entries).Decode(&i)
			files[h.Name] = i
		}
		if err != nil {
			return nil, nil, err
		}
	}
	for _, l := range list {
		if files[l.Config].ID == "" {
			return nil, nil, fmt.Errorf("it has no %s", l.Config)
		}
		images, names = append(images, files[l.Config]), append(names, l.RepoTags)
	}
	if len(images) == 0 {
		err = errors.New("there is none")
	}
	return images, names, err
}

// Load implements Archives. Renumber changes the ids.
func (m *Engine) Load(ctx context.Context, r io.Reader) (map[string]string, error) {
	return call(ctx, m, func() (ids map[string]string, err error) {
		images, names, err := readArchive(r)
		if err != nil {
			return nil, fmt.Errorf("cannot load images: %w", err)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		ids = map[string]string{}
		for n, i := range images {
			saved := i.ID
			if m.renumber != nil {
				i.ID = m.renumber(saved)
			}
			ids[saved] = i.ID
			found := m.image(i.ID)
			if found == nil {
				found = &localImage{ImageInfo: i.ImageInfo, app: i.App}
				m.images = append(m.images, found)
			}
			for _, name := range names[n] {
				m.moveTag(found, name)
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
