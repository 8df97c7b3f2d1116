package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// Pulled is how far a pull is.
type Pulled struct {
	// Status is a text about the image as a whole; "": the news is about a layer.
	Status string
	// Done and Total are the bytes of the layers that are known so far.
	Done, Total int64
}

// Pull has the engine fetch an image from its registry. auth is the login as the engine
// takes it; "": none. news is called by the caller's goroutine; nil: nothing is called. The
// error is the engine's or the registry's own.
func Pull(ctx context.Context, cli *client.Client, name, auth string, news func(Pulled)) error {
	answer, err := cli.ImagePull(ctx, name, image.PullOptions{RegistryAuth: auth})
	if err != nil {
		return err
	}
	defer answer.Close()
	return follow(answer, news, nil)
}

// Push has the engine bring an image to the registry of its name, and returns its digest
// there. auth, news and the error are as for Pull.
func Push(ctx context.Context, cli *client.Client, name, auth string, news func(Pulled)) (digest string, err error) {
	if auth == "" {
		auth = "e30=" // {}: the engine refuses an empty header
	}
	answer, err := cli.ImagePush(ctx, name, image.PushOptions{RegistryAuth: auth})
	if err != nil {
		return "", err
	}
	defer answer.Close()
	err = follow(answer, news, func(aux json.RawMessage) {
		var pushed struct{ Digest string }
		if json.Unmarshal(aux, &pushed) == nil && pushed.Digest != "" {
			digest = pushed.Digest
		}
	})
	if err == nil && digest == "" {
		err = errors.New("the engine does not say which digest the image has there")
	}
	return digest, err
}

// follow reads the engine's report about a transfer to its end.
func follow(answer io.Reader, news func(Pulled), aux func(json.RawMessage)) error {
	type progress struct{ Current, Total int64 }
	layers := map[string]progress{}
	for lines := json.NewDecoder(answer); ; {
		var line struct {
			ID, Status, Error string
			ProgressDetail    progress
			Aux               json.RawMessage
		}
		if err := lines.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("the engine's answer cannot be read: %w", err)
		}
		if line.Error != "" {
			return errors.New(line.Error)
		}
		if line.Aux != nil && aux != nil {
			aux(line.Aux)
		}
		if line.ProgressDetail.Total > 0 {
			layers[line.ID] = line.ProgressDetail
		}
		if news == nil {
			continue
		}
		p := Pulled{}
		if line.ID == "" {
			p.Status = line.Status
		}
		for _, l := range layers {
			p.Done += l.Current
			p.Total += l.Total
		}
		news(p)
	}
}
