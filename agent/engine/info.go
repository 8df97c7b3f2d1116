package engine

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// Info is what an engine says about itself.
type Info struct {
	Version string // "20.10.24"
	API     string // the highest version of the API that it speaks: "1.41"
	// DataRoot is the folder of the engine's host that holds images and containers.
	DataRoot string
}

// Info implements Inspector.
func (d *Docker) Info(ctx context.Context) (Info, error) {
	i, err := d.info(ctx)
	if err != nil {
		return Info{}, fmt.Errorf("cannot ask the engine about itself: %w", err)
	}
	return i, nil
}

func (d *Docker) info(ctx context.Context) (i Info, err error) {
	cli, err := d.connect(ctx)
	if err != nil {
		return i, err
	}
	ctx, cancel := within(ctx, quickCall)
	defer cancel()
	var both errgroup.Group
	both.Go(func() error {
		v, err := cli.ServerVersion(ctx)
		i.Version, i.API = v.Version, v.APIVersion
		return err
	})
	both.Go(func() error {
		about, err := cli.Info(ctx)
		i.DataRoot = about.DockerRootDir
		return err
	})
	return i, d.explain(ctx, both.Wait())
}

// Info implements Inspector.
func (m *Memory) Info(ctx context.Context) (Info, error) {
	return call(ctx, m, func() (Info, error) { return Info{Version: "0.0.0", API: "0.0", DataRoot: "/"}, nil }, "Info")
}
