package registry

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/store"
	"dokku/agent/text"
)

// Sweep removes the images of releases that are no longer kept, of the registry that this
// server has. It does nothing while any app is busy, and returns how many it removed.
func Sweep(ctx context.Context, s *store.Store, log event.Log) (removed int, err error) {
	v, err := Read(s)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	apps, err := s.Apps()
	if err != nil {
		return 0, err
	}
	for _, name := range append(slices.Clone(apps), store.RegistryLock) {
		l, free, err := s.TryLock(name, "sweeping the registry")
		if err != nil || !free {
			return 0, err
		}
		defer l.Release()
	}
	k, err := keptImages(s, v, apps)
	if err != nil {
		return 0, err
	}
	if removed, err = k.removeOthers(dir(s, imagesDir, "docker", "registry", "v2", "repositories")); removed == 0 || err != nil {
		return removed, err
	}
	out, err := exec.CommandContext(ctx, Program, "garbage-collect", dir(s, configFile)).CombinedOutput()
	if err != nil {
		return removed, fmt.Errorf("cannot collect what old images of the registry used: %w: %s", err, lastLine(out))
	}
	log.Step("Removed %s of old releases from the registry", text.Plural(removed, "image"))
	return removed, nil
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return event.OneLine(lines[len(lines)-1])
}

// kept are the images that stay: the digests of each repository that dokku pushes to.
type kept map[string]map[string]bool

// keptImages reads the releases of all apps, whose locks the caller holds.
func keptImages(s *store.Store, v Served, apps []string) (kept, error) {
	k := kept{}
	set, err := s.Settings()
	if err != nil {
		return nil, err
	}
	for _, name := range apps {
		a, err := s.Load(name)
		if err != nil {
			return nil, err
		}
		if view := (app.View{App: a, Settings: set}); view.RegistryServer() == v.Server()+"/" && k[view.ImageRepo()] == nil {
			k[view.ImageRepo()] = map[string]bool{}
		}
		releases, err := s.Releases(name)
		if err != nil {
			return nil, err
		}
		for _, r := range releases {
			image, ours := strings.CutPrefix(r.Remote, v.Server()+"/")
			repo, digest, ok := strings.Cut(image, "@")
			if !ours || !ok {
				continue
			}
			if k[repo] == nil {
				k[repo] = map[string]bool{}
			}
			k[repo][digest] = true
		}
	}
	return k, nil
}

// removeOthers removes the manifests of dokku's repositories that do not stay.
func (k kept) removeOthers(repositories string) (removed int, err error) {
	err = filepath.WalkDir(repositories, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.IsDir() || d.Name() != "_manifests" {
			return err
		}
		repo, err := filepath.Rel(repositories, filepath.Dir(path))
		if err != nil {
			return err
		}
		stay, ours := k[repo]
		if ours || strings.HasPrefix(repo, "dokku/") { // that of an app that was destroyed
			n, err := removeFrom(path, stay)
			removed += n
			if err != nil {
				return err
			}
		}
		return fs.SkipDir
	})
	return removed, err
}

// removeFrom removes the manifests of one repository that do not stay, and are not named by
// a person's tag.
func removeFrom(manifests string, stay map[string]bool) (removed int, err error) {
	tagged := map[string][]string{} // folders of tags, by digest
	byPeople := map[string]bool{}
	tags, err := os.ReadDir(filepath.Join(manifests, "tags"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	for _, tag := range tags {
		path := filepath.Join(manifests, "tags", tag.Name())
		link, err := os.ReadFile(filepath.Join(path, "current", "link"))
		if err != nil {
			continue // it is being made
		}
		digest := strings.TrimSpace(string(link))
		tagged[digest] = append(tagged[digest], path)
		if _, err := strconv.Atoi(tag.Name()); err != nil {
			byPeople[digest] = true
		}
	}
	revisions, err := os.ReadDir(filepath.Join(manifests, "revisions", "sha256"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	for _, r := range revisions {
		digest := "sha256:" + r.Name()
		if stay[digest] || byPeople[digest] {
			continue
		}
		// The tags first: one without its manifest would be an image that cannot be pulled.
		for _, path := range append(tagged[digest], filepath.Join(manifests, "revisions", "sha256", r.Name())) {
			if err := os.RemoveAll(path); err != nil {
				return removed, err
			}
		}
		removed++
	}
	return removed, nil
}
