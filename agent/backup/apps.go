package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dokku/agent/app"
	"dokku/agent/backup/archive"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/repo"
	"dokku/agent/sources"
	"dokku/agent/store"
)

// restoreApps restores one app after the other.
func (x *restore) restoreApps(ctx context.Context) (int, error) {
	names := x.names()
	var failed []string
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return len(names), fmt.Errorf("not all apps are restored; the same command restores the rest: %w", context.Cause(ctx))
		}
		if err := x.restoreApp(ctx, name); err != nil {
			x.log.WithApp(name).Warn("%s", err)
			failed = append(failed, name)
		}
	}
	if failed != nil {
		//lint:ignore ST1005 as Dokku's own messages
		return len(names), fmt.Errorf("Unable to restore %d of %d apps: %s", len(failed), len(names), strings.Join(failed, ", "))
	}
	return len(names), nil
}

// about returns the manifest's entry of an app.
func (x *restore) about(name string) archive.App {
	return x.m.Apps[slices.IndexFunc(x.m.Apps, func(a archive.App) bool { return a.Name == name })]
}

// restoreApp puts an app in its place and starts it.
func (x *restore) restoreApp(ctx context.Context, name string) error {
	if x.done[name] {
		return x.restoreRest(ctx, name)
	}
	a := x.about(name)
	if a.Release == 0 {
		x.log.WithApp(name).Step("Restoring %s (never deployed)", name)
	} else {
		x.log.WithApp(name).Step("Restoring %s (v%d, %s)", name, a.Release, app.Short(a.Revision))
	}
	s, err := x.place(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Current == nil && !x.ran[name] {
		return nil // nothing runs, and nothing is to
	}
	if err := x.loadImages(ctx, s); err != nil {
		s.Log.Warn("%s: the image is built again", err)
	}
	return s.Revive(ctx)
}

// restoreRest continues with an app of an interrupted restore of this backup.
func (x *restore) restoreRest(ctx context.Context, name string) error {
	return x.Server.Env.With(ctx, name, deploy.Op{Name: deploy.Restoring}, x.log, func(s *deploy.Session) error {
		if r := s.State.Restored; r == nil || !r.Pending || x.about(name).Stopped {
			s.Log.Step("%s was restored from this backup before, and stays as it is: restore --force replaces it", name)
			return nil
		}
		s.Log.Step("Restoring %s, which was begun before", name)
		s.Change(func(st *app.State) { st.Restored.Start = true })
		return s.Revive(ctx)
	})
}

// place moves an app's folder to its place, under the app's lock.
func (x *restore) place(ctx context.Context, name string) (s *deploy.Session, err error) {
	var none *app.NoAppError
	_, err = x.Server.Env.Store.Load(name)
	switch {
	case errors.As(err, &none):
		l, lerr := x.Server.Env.Store.LockApp(ctx, name, deploy.Restoring, x.log)
		if err = lerr; err == nil {
			s = &deploy.Session{Lock: l}
			err = x.Server.Env.Store.NameFree(name)
		}
	case err == nil && x.o.Force:
		if s, err = x.Server.Env.Session(ctx, name, deploy.Restoring, x.log); err == nil {
			x.ran[name] = s.Current != nil || s.State.Destroying
			if repo.Pushing(s.Dir) {
				err = fmt.Errorf("somebody is pushing to %s: try again once that is done", name)
			}
		}
	case err == nil:
		err = fmt.Errorf("app %s was created in the meantime: restore --force replaces it", name)
	}
	if err == nil {
		err = x.move(ctx, name)
	}
	if err != nil {
		if s != nil {
			s.Close()
		}
		return nil, err
	}
	opened, err := x.Server.Env.Open(name, s.Lock, x.log)
	if err != nil {
		s.Close()
	}
	return opened, err
}

// move replaces the app's folder by the prepared one in one rename, under DomainsLock. A
// crash leaves the old or the restored app.
func (x *restore) move(ctx context.Context, name string) error {
	l, err := x.Server.Env.Store.LockApp(ctx, store.DomainsLock, deploy.Restoring, x.log)
	if err != nil {
		return err
	}
	defer l.Release()
	a := &app.App{Name: name}
	if err := store.ReadJSON(x.app(name, "dokku", "state.json"), &a.State); err != nil {
		return err
	}
	set, err := x.Server.Env.Store.Settings()
	if err != nil {
		return err
	}
	if err := x.Server.Env.Store.Conflict(app.View{App: a, Settings: set}, []string{name}); err != nil {
		return err
	}
	if err := x.Server.Env.Store.At("place the app's folder"); err != nil {
		return err
	}
	if err := x.Server.Env.Store.Disk.SyncFileSystem(x.app(name)); err != nil {
		return fmt.Errorf("cannot put %s on the disk: %w", name, err)
	}
	err = unix.Renameat2(unix.AT_FDCWD, x.app(name), unix.AT_FDCWD, x.Server.Env.Store.Dir(name), unix.RENAME_EXCHANGE)
	if errors.Is(err, fs.ErrNotExist) {
		err = x.Server.Env.Store.Disk.Rename(x.app(name), x.Server.Env.Store.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("cannot put %s in its place: %w", name, err)
	}
	if err := x.Server.Env.Store.At("sync the folder of all apps"); err != nil {
		return err
	}
	return x.Server.Env.Store.Disk.Sync(x.Server.Env.Store.Root)
}

// loadImages loads the app's images from the backup into the engine. An engine with
// another kind of image store gives them other ids, which the releases take over. After
// a crash in between, a release whose image is not found is built again.
func (x *restore) loadImages(ctx context.Context, s *deploy.Session) error {
	f, err := os.Open(x.imageFile(s.Name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	host, err := s.Env.Engine(s.Settings)
	if err != nil {
		return err
	}
	loaded := s.Log.Busy("loading the images of %s", s.Name)
	ids, err := sources.LoadUnnamed(ctx, host, f)
	loaded()
	if err != nil {
		return err
	}
	releases, err := s.Env.Store.Releases(s.Name)
	if err != nil {
		return err
	}
	for _, r := range releases {
		if err := takeImages(ctx, s, host, r, x.ids[s.Name][r.Number], ids); err != nil {
			return err
		}
	}
	return nil
}

// takeImages gives a release the ids that its images have here, and them the app's name.
func takeImages(ctx context.Context, s *deploy.Session, host engine.Images, r *app.Release, saved images, ids map[string]string) error {
	loaded := images{ids[saved.image], ids[saved.source]}
	if loaded.image == "" {
		return nil
	}
	r.Image, r.SourceImage = loaded.image, cmp.Or(loaded.source, r.SourceImage)
	if err := s.Env.Store.SaveRelease(s.Name, r); err != nil {
		return err
	}
	if s.Current != nil && s.Current.Number == r.Number {
		s.Current.Image, s.Current.SourceImage = r.Image, r.SourceImage
	}
	if loaded.source != "" {
		if err := host.Tag(ctx, r.SourceImage, deploy.ImageTag(s.Name, r.SourceImage)); err != nil {
			return err
		}
	}
	return host.Tag(ctx, r.Image, deploy.ImageTag(s.Name, r.Image))
}
