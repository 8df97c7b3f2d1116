package buildkit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/docker/docker/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/filesync"
)

// loader passes the image that a daemon sends on to the engine, which keeps the layers that
// it has.
type loader struct {
	engine *client.Client

	ctx     context.Context
	mu      sync.Mutex
	running *loading
}

// loading is an image on its way.
type loading struct {
	*io.PipeWriter
	done chan struct{}
	err  error
}

// begin says until when images may be loaded.
func (l *loader) begin(ctx context.Context) { l.ctx = ctx }

// target takes the image from the daemon.
func (l *loader) target() session.Attachable {
	return filesync.NewFSSyncTarget(filesync.WithFSSync(0, func(map[string]string) (io.WriteCloser, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.running != nil {
			return nil, errors.New("an image was sent already")
		}
		r, w := io.Pipe()
		l.running = &loading{PipeWriter: w, done: make(chan struct{})}
		go func(run *loading) {
			defer close(run.done)
			// The client would close a reader that it can close, before the daemon has sent all.
			if run.err = load(l.ctx, l.engine, struct{ io.Reader }{r}); run.err == nil {
				io.Copy(io.Discard, r) // what follows the end of the archive
			}
			r.CloseWithError(run.err)
		}(l.running)
		return l.running, nil
	}))
}

// Close ends the image and waits until the engine has it.
func (r *loading) Close() error {
	r.PipeWriter.Close()
	<-r.done
	return r.err
}

// end waits for the image that is being loaded, if one is. One that was not sent to its end
// is not loaded.
func (l *loader) end() error {
	l.mu.Lock()
	run := l.running
	l.mu.Unlock()
	if run == nil {
		return nil
	}
	run.CloseWithError(errors.New("the image was not sent to its end"))
	<-run.done
	return run.err
}

// load loads an image into an engine.
func load(ctx context.Context, engine *client.Client, image io.Reader) error {
	answer, err := engine.ImageLoad(ctx, image, client.ImageLoadWithQuiet(true))
	if err != nil {
		return fmt.Errorf("cannot load the image into the engine: %w", err)
	}
	defer answer.Body.Close()
	for d := json.NewDecoder(answer.Body); ; {
		var line struct{ Error string }
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("cannot load the image into the engine: its answer broke off: %w", err)
		}
		if line.Error != "" {
			return fmt.Errorf("cannot load the image into the engine: %s", line.Error)
		}
	}
}
