package move

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// files says how to copy the files of mounted folders and volumes that have files there and
// none here.
func (m *Mover) files(ctx context.Context, a *App) (missing []string, err error) {
	here, failed := m.Here.Load(a.Name)
	for _, mount := range a.Mounts {
		if !mount.Filled {
			continue
		}
		source := mount.Source
		if failed == nil {
			target := path.Clean(mount.Target)
			if n := slices.IndexFunc(here.State.Mounts, func(own app.Mount) bool { return own.Target == target }); n >= 0 {
				source = here.State.Mounts[n].Source
			}
		}
		has, err := m.has(ctx, source)
		if err != nil {
			return nil, err
		}
		if has {
			continue
		}
		first, to := "", source
		if !path.IsAbs(source) {
			first, to = "docker volume create "+source+" && ", fmt.Sprintf(`"$(docker volume inspect --format '{{.Mountpoint}}' %s)"`, source)
		}
		missing = append(missing, fmt.Sprintf("copy the files of %s while the app is stopped there: %srsync -a %s:%s/ %s/", mount.Source, first, m.From.Host, mount.Dir, to))
	}
	return missing, nil
}

// has reports whether a folder has files here, or a volume exists: only root may look into it,
// and nobody but who copies the files makes it before the app is deployed.
func (m *Mover) has(ctx context.Context, source string) (bool, error) {
	if path.IsAbs(source) {
		entries, err := os.ReadDir(source)
		return err == nil && len(entries) > 0, nil
	}
	host, err := m.Here.Host()
	if err != nil {
		return false, err
	}
	err = host.ReadFiles(ctx, source, exists{})
	if errors.Is(err, engine.ErrNoSource) {
		return false, nil
	}
	if err == nil || errors.Is(err, errExists) {
		return true, nil
	}
	return false, err
}

// foreign finds what may be Dokku's: beside it, networks and volumes have one space of names.
func (m *Mover) foreign(ctx context.Context, a *App, h *Have) error {
	set, err := m.Here.Settings()
	if err != nil || set.NamePrefix == "" {
		return err
	}
	h.ForeignNetworks, h.ForeignVolumes = h.Networks, map[string]bool{}
	for _, mount := range a.Mounts {
		if path.IsAbs(mount.Source) {
			continue
		}
		if h.ForeignVolumes[mount.Source], err = m.has(ctx, mount.Source); err != nil {
			return err
		}
	}
	return nil
}

// exists is a Writer that takes nothing.
type exists struct{}

var errExists = errors.New("it exists")

func (exists) Write([]byte) (int, error) { return 0, errExists }
