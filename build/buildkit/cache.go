package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"

	dockerbuild "github.com/docker/docker/api/types/build"
	"github.com/docker/docker/client"
	control "github.com/moby/buildkit/api/services/control"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// CacheSize returns how many bytes the engine's build cache has, without those that images
// have too. PruneCache counts alike. The client has to have agreed with the engine on a
// version of the API, 1.39 or later.
func CacheSize(ctx context.Context, cli *client.Client) (int64, error) {
	conn, err := dialEngine(cli)
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

// dialEngine connects to the engine's BuildKit.
func dialEngine(cli *client.Client) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:engine", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return cli.DialHijack(ctx, "/grpc", "h2c", nil) }))
}

// mountedID is the end of the description of a cache that steps mount, if its id is not its
// path: those of apps begin with the app's name and a slash.
var mountedID = regexp.MustCompile(`^cached mount .* with id ("(?:[^"\\\\]|\\\\.)*")$`)

// mountedBy returns the records of the caches that steps of an app's builds mount. Not every engine,
// and not all that stands between it and this program, passes on BuildKit's own protocol: then it
// returns none. They stay until they are pruned, and keep no app from being destroyed.
func mountedBy(ctx context.Context, c control.ControlClient, app string) (list []*control.UsageRecord, err error) {
	usage, err := c.DiskUsage(ctx, &control.DiskUsageRequest{})
	if code := status.Code(err); code == codes.Unavailable || code == codes.Unimplemented {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, r := range usage.Record {
		m := mountedID.FindStringSubmatch(r.Description)
		if m == nil {
			continue
		}
		if id, err := strconv.Unquote(m[1]); err == nil && strings.HasPrefix(id, app+"/") {
			list = append(list, r)
		}
	}
	return list, nil
}

// AppCache returns how many bytes the caches have that steps of an app's builds mount
// (RUN --mount=type=cache). The rest of the engine's cache is of all apps: two apps with the
// same steps share it, and no record names the build that made it.
func AppCache(ctx context.Context, cli *client.Client, app string) (size int64, err error) {
	conn, err := dialEngine(cli)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	list, err := mountedBy(ctx, control.NewControlClient(conn), app)
	for _, r := range list {
		size += r.Size
	}
	return size, err
}

// RemoveAppCache removes the caches of AppCache and returns how many bytes it freed. What a
// build uses stays.
func RemoveAppCache(ctx context.Context, cli *client.Client, app string) (freed int64, err error) {
	conn, err := dialEngine(cli)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	c := control.NewControlClient(conn)
	list, err := mountedBy(ctx, c, app)
	if len(list) == 0 || err != nil {
		return 0, err
	}
	ask := &control.PruneRequest{All: true}
	for _, r := range list {
		ask.Filter = append(ask.Filter, "id=="+r.ID)
	}
	answer, err := c.Prune(ctx, ask)
	for err == nil {
		var r *control.UsageRecord
		if r, err = answer.Recv(); err == nil {
			freed += r.Size
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return freed, err
}
