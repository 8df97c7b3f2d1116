package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"dokku/agent/app"
	"dokku/agent/disk"
	"dokku/agent/engine"
	"dokku/build/source"
)

// DiskUse are the bytes that an app keeps on the server's disk.
type DiskUse struct {
	// Repository is the app's folder, with the objects of a push that is under way.
	Repository int64
	engine.DiskUse
	// Written is what the app's containers have written beside their images.
	Written int64
}

// Total returns the sum.
func (u DiskUse) Total() int64 { return u.Repository + u.Images + u.Cache + u.Written }

// String says what has how much: "1.2 GB (repository 1.1 GB, images 90 MB, build cache 0 B)", and what
// containers have written, if they have.
func (u DiskUse) String() string {
	written := ""
	if u.Written > 0 {
		written = ", written by containers " + source.Bytes(u.Written)
	}
	return fmt.Sprintf("%s (repository %s, images %s, build cache %s%s)", source.Bytes(u.Total()), source.Bytes(u.Repository), source.Bytes(u.Images), source.Bytes(u.Cache), written)
}

// quotaError says that an app would keep more than its quota.
type quotaError struct {
	app   string
	quota int64
	use   DiskUse
	// building: it is a running build that fills the disk, of which the sizes are not known.
	building bool
}

func (e *quotaError) Error() string {
	has := "it would keep " + e.use.String()
	if e.building {
		has = "it keeps " + e.use.String() + ", and this build had written more than what is left"
	}
	return fmt.Sprintf("%s may keep %s on the server's disk, and %s\n"+
		"Make the image smaller, or remove what it does not need: branches and files of its history (then dokku repo:gc %[1]s), older releases (dokku releases:set %[1]s keep 1), "+
		"caches (dokku repo:purge-cache %[1]s), what its processes have written (dokku ps:restart %[1]s); or an admin raises the quota: dokku apps:set %[1]s %[4]s SIZE", e.app, source.Bytes(e.quota), has, app.PropDiskQuota)
}

// DiskUse returns what an app keeps on the disk: its repository, the images of its releases,
// and of the engine's caches those that are known to be its own. more are further images.
func (e *Env) DiskUse(ctx context.Context, v app.View, more ...string) (u DiskUse, err error) {
	if u.Repository, err = disk.Size(v.Dir); err != nil {
		return u, err
	}
	kept, err := e.Store.KeptReleases(v)
	if err != nil {
		return u, err
	}
	var ids []string
	for _, r := range kept {
		for _, id := range []string{r.SourceImage, r.Image} {
			if id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	if n := cmp.Or(v.State.KeepReleases, v.Settings.KeepReleases); len(more) > 0 && len(ids) >= n && !slices.Contains(ids, more[0]) &&
		v.Current != nil && ids[0] != v.Current.Image { // the oldest makes room for the new one
		ids = ids[1:]
	}
	ids = append(ids, more...)
	if len(ids) == 0 && len(e.Store.DeployLogs(v.Name)) == 0 {
		return u, nil // nothing was ever built: the engine need not be asked
	}
	host, err := e.machine(v.Settings)
	if err == nil {
		u.DiskUse, err = host.DiskUse(ctx, v.Name, ids)
	}
	if err == nil {
		u.Written, err = written(ctx, host, v)
	}
	return u, err
}

// measureTime is how long all containers of an app may be measured: the engine looks at each of
// their files. Those that it has not come to by then count as empty.
const measureTime = 30 * time.Second

// written returns the bytes that an app's containers on this machine have written beside their images.
// Those that retire take theirs with them soon.
func written(ctx context.Context, host machine, v app.View) (sum int64, err error) {
	found, err := host.Observe(ctx, v.Name)
	if err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeout(ctx, measureTime)
	defer cancel()
	for _, i := range found.Instances {
		if _, retires := v.State.Retiring[i.ID]; retires || i.Placed() || i.Kind == engine.KindBuild || limited.Err() != nil {
			continue
		}
		n, err := host.Written(limited, i.ID)
		if err != nil && limited.Err() == nil && !errors.Is(err, engine.ErrNoContainer) {
			return 0, err
		}
		sum += n
	}
	return sum, ctx.Err()
}

// diskQuota returns the app's quota in bytes; 0: it has none.
func (e *Env) diskQuota(v app.View) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(e.Store.Root, &fs); err != nil {
		return 0, err
	}
	return v.DiskQuota(int64(fs.Blocks) * fs.Bsize)
}

// checkQuota refuses what an app keeps if it is more than its quota. more are images that it
// would keep, too.
func (e *Env) checkQuota(ctx context.Context, v app.View, more ...string) (left int64, err error) {
	quota, err := e.diskQuota(v)
	if quota == 0 || err != nil {
		return 0, err
	}
	use, err := e.DiskUse(ctx, v, more...)
	if err != nil {
		return 0, err
	}
	if use.Total() > quota {
		return 0, &quotaError{app: v.Name, quota: quota, use: use}
	}
	return quota - use.Total(), nil
}

// lookAtDisk is how often a build's growth is looked at. A disk writes a gigabyte in that time.
const lookAtDisk = time.Second

// guardDisk ends the context of a build that fills the server's disk, or that writes more than
// the app's quota leaves. The engine has no sizes of running steps, so the free space tells: it
// counts for the quota only while no other app deploys. The cause of the context is the error.
func (x *Session) guardDisk(ctx context.Context) (context.Context, func(), error) {
	left, err := x.Env.checkQuota(ctx, x.View())
	if err != nil {
		return nil, nil, err
	}
	before, _ := x.Env.space()
	ctx, cancel := context.WithCancelCause(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		x.watchDisk(ctx, before, left, cancel)
	}()
	return ctx, func() { cancel(nil); <-ended }, nil
}

// watchDisk is guardDisk from a moment on when last bytes were free.
func (x *Session) watchDisk(ctx context.Context, last, left int64, cancel context.CancelCauseFunc) {
	t := time.NewTicker(lookAtDisk)
	defer t.Stop()
	for written := int64(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		free, dir := x.Env.space()
		if free < LeastSpace {
			cancel(fmt.Errorf("cannot build: the server's disk is full (%s left in %s); %s", source.Bytes(free), dir, SpaceFix))
			return
		}
		if left > 0 && !x.othersDeploy() {
			written += last - free
		}
		if last = free; left == 0 || written <= left {
			continue
		}
		use, err := x.Env.DiskUse(ctx, x.View())
		quota, qerr := x.Env.diskQuota(x.View())
		if errors.Join(err, qerr) == nil {
			cancel(&quotaError{app: x.Name, quota: quota, use: use, building: true})
			return
		}
	}
}

// othersDeploy reports whether another app is locked: what is written may be its own.
func (x *Session) othersDeploy() bool {
	names, err := x.Env.Store.Apps()
	if err != nil {
		return true
	}
	for _, name := range names {
		if name == x.Name {
			continue
		}
		if _, busy, _ := x.Env.Store.Peek(name); busy {
			return true
		}
	}
	return false
}
