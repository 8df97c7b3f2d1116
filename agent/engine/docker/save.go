package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"dokku/agent/engine"
)

// Save implements Archives. The format is that of docker save. It looks all images
// up first, since the engine reports a missing one only in the middle of its answer.
// Only ctx bounds its time: an image may have gigabytes.
func (d *Engine) Save(ctx context.Context, ids []string, w io.Writer) error {
	for _, id := range ids {
		if _, err := d.image(ctx, id); err != nil {
			return fmt.Errorf("cannot save image %s: %w", engine.Short(id), err)
		}
	}
	err := d.save(ctx, ids, w)
	if err != nil {
		return fmt.Errorf("cannot save %d images: %w", len(ids), err)
	}
	return nil
}

func (d *Engine) save(ctx context.Context, ids []string, w io.Writer) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	body, err := cli.ImageSave(ctx, ids)
	if err != nil {
		return d.explain(ctx, err)
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

// Load implements Archives: docker load. The engine answers with an id for each image
// of the archive, in their order. Which ids the images had before, the archive says.
func (d *Engine) Load(ctx context.Context, r io.Reader) (map[string]string, error) {
	piped, w := io.Pipe()
	contents := make(chan []archived, 1)
	go func() {
		found, _ := readArchive(piped) // the engine says what is wrong with it
		io.Copy(io.Discard, piped)
		contents <- found
	}()
	loaded, err := d.load(ctx, io.TeeReader(r, w))
	w.Close()
	found := <-contents
	if err != nil {
		return nil, fmt.Errorf("cannot load images: %w", err)
	}
	return match(found, loaded), nil
}

// load returns the ids of the images in the order of the engine's answer.
func (d *Engine) load(ctx context.Context, r io.Reader) ([]string, error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := cli.ImageLoad(ctx, r)
	if err != nil {
		return nil, d.explain(ctx, err)
	}
	defer answer.Body.Close()
	ids, failed, err := readLoaded(answer.Body)
	switch {
	case err != nil:
		return nil, d.explain(ctx, fmt.Errorf("the engine's answer cannot be read: %w", err))
	case failed != "":
		return nil, errors.New(plain(failed))
	}
	return ids, nil
}

// notUnpacked begins what the image store of containerd answers, as if it were no error, if
// it has an image and cannot make its files, as on a full disk. No container can start of it.
const notUnpacked = "Error unpacking image "

// readLoaded reads the engine's answer to a load. Errors stand in the answer, whose
// status is a success by then.
func readLoaded(r io.Reader) (ids []string, failed string, err error) {
	for lines := json.NewDecoder(r); ; {
		var line struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		err := lines.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			return ids, "", nil
		case err != nil:
			return nil, "", err
		case line.Error != "":
			return nil, line.Error, nil
		}
		if id, ok := strings.CutPrefix(line.Stream, "Loaded image ID: "); ok {
			ids = append(ids, strings.TrimSpace(id))
		}
		if strings.HasPrefix(line.Stream, notUnpacked) {
			return nil, strings.TrimSpace(line.Stream), nil
		}
	}
}
