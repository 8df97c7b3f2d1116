package store

import (
	"context"
	"fmt"
	"os"
	"strings"

	"dokku/agent/disk"
	"dokku/agent/event"
)

// buildPlace is the name of the lock of a place for a build.
func buildPlace(n int) string { return fmt.Sprintf("_build.%d", n) }

// LockBuild takes one of so many places for builds on this server; 0: any number may run,
// and the Lock is nil. If none is free for longer than ShortWait, it logs who builds, or
// fails with noWait. It gives up when ctx is done. A killed build leaves its place.
func (s *Store) LockBuild(ctx context.Context, app string, places int, noWait bool, log event.Log) (*Lock, error) {
	if places == 0 {
		return nil, nil
	}
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for n := range places {
		f, err := s.lockFile(buildPlace(n))
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	short, cancel := context.WithTimeout(ctx, ShortWait)
	defer cancel()
	got, err := disk.WaitAny(short, files, disk.Exclusive)
	if err != nil && ctx.Err() == nil && short.Err() != nil {
		why := fmt.Sprintf("%d at once is the limit, and this server builds %s", places, strings.Join(s.building(places), ", "))
		if noWait {
			return nil, fmt.Errorf("cannot build %s now: %s, and this push does not wait (-o no-wait): push again later, or without no-wait", app, why)
		}
		log.Step("Waiting to build %s: %s", app, why)
		defer log.Busy("waiting to build %s", app)()
		got, err = disk.WaitAny(ctx, files, disk.Exclusive)
	}
	if err != nil {
		return nil, fmt.Errorf("gave up waiting to build %s: %w", app, err)
	}
	l := &Lock{F: files[got]}
	files = append(files[:got], files[got+1:]...)
	l.note(app)
	l.Abandoned = false // the engine's containers have the app's label, and go with its lock
	return l, nil
}

// building are the builds that hold a place: "shop (process 12, for 3s)".
func (s *Store) building(places int) (list []string) {
	for n := range places {
		if h, busy, _ := s.Peek(buildPlace(n)); busy {
			list = append(list, h.String())
		}
	}
	return list
}
