package buildkit

import (
	"context"
	"errors"
	"fmt"
	"net"

	dockerbuild "github.com/docker/docker/api/types/build"
	"github.com/docker/docker/client"
	control "github.com/moby/buildkit/api/services/control"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// CacheSize returns how many bytes the engine's build cache has, without those that images
// have too. PruneCache counts alike. The client has to have agreed with the engine on a
// version of the API, 1.39 or later.
func CacheSize(ctx context.Context, cli *client.Client) (int64, error) {
	conn, err := grpc.NewClient("passthrough:engine", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return cli.DialHijack(ctx, "/grpc", "h2c", nil) }))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	usage, err := control.NewControlClient(conn).DiskUsage(ctx, &control.DiskUsageRequest{})
	if err != nil {
		return 0, err
	}
	var size int64
	for _, r := range usage.Record {
		if !r.Shared {
			size += r.Size
		}
	}
	return size, nil
}

// PruneCache removes what was used least recently from the engine's build cache, until it
// has at most keep bytes, and returns how many it freed. What a build uses stays. keep is
// above 0.
func PruneCache(ctx context.Context, cli *client.Client, keep int64) (freed int64, err error) {
	if keep <= 0 { // for the engine this means all of it
		return 0, fmt.Errorf("internal error: a build cache of %d bytes", keep)
	}
	// What images share and what BuildKit needs itself go last, as in its own collection.
	for _, all := range []bool{false, true} {
		// Engines up to API 1.47 know the first of the names only, and later ones the second.
		report, err := cli.BuildCachePrune(ctx, dockerbuild.CachePruneOptions{All: all, KeepStorage: keep, ReservedSpace: keep})
		if err != nil {
			return freed, err
		}
		if report.SpaceReclaimed > 1<<62 {
			return freed, errors.New("the engine's answer makes no sense")
		}
		freed += int64(report.SpaceReclaimed)
	}
	return freed, nil
}
