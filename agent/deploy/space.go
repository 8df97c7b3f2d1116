package deploy

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/build/source"
)

// Free space, in bytes, below which a push is refused, or warned of.
const (
	LeastSpace = 100 << 20
	LowSpace   = 1 << 30
)

// usualImages is where an engine on this host keeps its images, unless its data-root is
// another one. To ask it would take longer than all other checks before a build.
const usualImages = "/var/lib/docker"

// usualBuilds is where the server's own builder writes what steps of builds do.
const usualBuilds = "/var/lib/" + app.DefaultBuilderService

// freeSpace returns how much space of a folder's file system a plain user may fill, in
// bytes.
func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// SpaceFix is what helps against a full disk.
const SpaceFix = "free some on the server: dokku cleanup, docker builder prune"

// CheckSpace refuses what would fill the server's disk, and warns of little room for it.
// A build that fills the disk fails late, and everything else on the server with it. doing
// is what needs the room: "build".
func (e *Env) CheckSpace(doing string, log event.Log) error {
	n, dir := e.space()
	switch {
	case n < LeastSpace:
		return fmt.Errorf("cannot %s: the server's disk is full (%s left in %s); %s", doing, source.Bytes(n), dir, SpaceFix)
	case n < LowSpace:
		log.Warn("the server's disk is nearly full (%s left in %s); %s", source.Bytes(n), dir, SpaceFix)
	}
	return nil
}

// Room returns how many bytes may be written before CheckSpace would refuse more.
func (e *Env) Room() int64 {
	n, _ := e.space()
	return max(0, n-LeastSpace)
}

// space returns the least free space of the disks that apps and their images are on, in
// bytes, and its folder. A folder that cannot be read is left out: an engine may be on
// another host.
func (e *Env) space() (least int64, at string) {
	free := e.FreeSpace
	if free == nil {
		free = freeSpace
	}
	least = math.MaxInt64
	for _, dir := range []string{e.Store.Root, usualImages, usualBuilds} {
		if n, err := free(dir); err == nil && n < least {
			least, at = n, dir
		}
	}
	return least, at
}
