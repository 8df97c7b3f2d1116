package docker

import (
	"context"
	"dokku/agent/engine"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Save implements Archives. It writes what docker save writes. All are looked up
// first, since the engine says only in the middle of its answer that one is
// missing. How long it takes is for ctx to bound: an image may have gigabytes.
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

// Load implements Archives: docker load.
func (d *Engine) Load(ctx context.Context, r io.Reader) error {
	if err := d.load(ctx, r); err != nil {
		return fmt.Errorf("cannot load images: %w", err)
	}
	return nil
}

func (d *Engine) load(ctx context.Context, r io.Reader) error {
	cli, err := d.connect(ctx)
	if err != nil {
		return err
	}
	answer, err := cli.ImageLoad(ctx, r)
	if err != nil {
		return d.explain(ctx, err)
	}
	defer answer.Body.Close()
	// What went wrong stands in the answer, whose status is a success by then.
	for lines := json.NewDecoder(answer.Body); ; {
		var line struct {
			Stream string `json:"stream"`
			Error  string `json:"error"`
		}
		err := lines.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return d.explain(ctx, fmt.Errorf("the engine's answer cannot be read: %w", err))
		case line.Error != "":
			return errors.New(plain(line.Error))
		}
	}
}
