package container

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// errStopped ends the writer of an archive that the engine no longer reads.
var errStopped = errors.New("the engine has stopped reading")

// CopyIn unpacks the archive that write makes into a folder of the container, which may
// run or not. The folder has to exist.
func (c *Container) CopyIn(ctx context.Context, dir string, write func(*tar.Writer) error) error {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		t := tar.NewWriter(w)
		err := write(t)
		if err == nil {
			err = t.Close()
		}
		w.CloseWithError(err)
		written <- err
	}()
	err := c.engine.config.Client().CopyToContainer(ctx, c.id, dir, r, container.CopyToContainerOptions{})
	r.CloseWithError(errStopped)
	if wrote := <-written; err != nil && wrote != nil && !errors.Is(wrote, errStopped) && ctx.Err() == nil {
		return wrote // the engine's error is that the archive broke off
	}
	if err != nil {
		return explain(ctx, "cannot copy files to "+dir+" of the container "+c.spec.Name, err)
	}
	return nil
}

// CopyOut calls read with the archive of a file or folder of the container. A missing one
// is an fs.ErrNotExist.
func (c *Container) CopyOut(ctx context.Context, path string, read func(*tar.Reader) error) error {
	failed := "cannot copy " + path + " from the container " + c.spec.Name
	body, _, err := c.engine.config.Client().CopyFromContainer(ctx, c.id, path)
	if errdefs.IsNotFound(err) && !strings.Contains(err.Error(), "No such container") {
		return fmt.Errorf("%s: %w", failed, fs.ErrNotExist)
	}
	if err != nil {
		return explain(ctx, failed, err)
	}
	defer body.Close()
	return read(tar.NewReader(body))
}
