package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"dokku/agent/app"
	"dokku/agent/event"
)

// NodeImagesFile has the repositories of registries from which nodes of the swarm may have
// images.
const NodeImagesFile = "node-images.json"

type nodeImages struct {
	Version      int      `json:"version"`
	Repositories []string `json:"repositories"`
}

// NodeImages returns the repositories from which nodes of the swarm may have images: also
// those of apps that are gone.
func (s *Store) NodeImages() ([]string, error) {
	var n nodeImages
	err := ReadJSON(s.Own(NodeImagesFile), &n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read which images the nodes may have: %w", err)
	}
	return n.Repositories, nil
}

// NoteNodeImages adds repositories, before any node pulls from them. It waits while images of
// such a repository are being removed (ImagesLock).
func (s *Store) NoteNodeImages(ctx context.Context, repositories ...string) error {
	if len(repositories) == 0 {
		return nil
	}
	l, err := s.LockApp(ctx, ImagesLock, "noting an image", event.Log{})
	if err != nil {
		return err
	}
	defer l.Release()
	have, err := s.NodeImages()
	if err != nil {
		return err
	}
	all := slices.Compact(slices.Sorted(slices.Values(slices.Concat(have, repositories))))
	if len(all) == len(have) {
		return nil
	}
	return s.putNodeImages(all)
}

// ForgetNodeImages removes repositories of which no node has an image. The caller holds
// ImagesLock.
func (s *Store) ForgetNodeImages(repositories []string) error {
	have, err := s.NodeImages()
	if err != nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(have), func(r string) bool { return slices.Contains(repositories, r) })
	if len(rest) == len(have) {
		return nil
	}
	return s.putNodeImages(rest)
}

func (s *Store) putNodeImages(list []string) error {
	return s.WriteJSON(s.Own(NodeImagesFile), nodeImages{app.Version, list})
}
