package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/store"
	"dokku/agent/text"
)

// pruneLimit bounds how long a command waits for nodes that are to remove images: the agent
// asks them again.
const pruneLimit = 10 * time.Second

// PruneNodes removes the images of releases that are no longer kept from the nodes of the
// swarm, and those of apps that are gone. An app that is busy waits for the next turn, and so
// does a node that does not answer.
func (s *Server) PruneNodes(ctx context.Context, log event.Log) error {
	host, err := s.Host()
	if err != nil {
		return err
	}
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return err
	}
	removed := 0
	var failed error // of the last app: they have the same nodes
	for _, name := range apps {
		done, err := s.pruneNodes(ctx, host, name)
		if removed += done.Removed; err != nil {
			failed = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	tellRemoved(log, removed, "old releases")
	return errors.Join(failed, s.PruneGone(ctx, log))
}

func tellRemoved(log event.Log, removed int, of string) {
	if removed > 0 {
		log.Step("Removed %s of %s from the nodes of the swarm", text.Plural(removed, "image"), of)
	}
}

// pruneNodes is PruneNodes for an app, whose lock it holds: the nodes may have pulled an image
// whose release is not written yet.
func (s *Server) pruneNodes(ctx context.Context, host engine.NodeServices, name string) (none engine.Pruned, err error) {
	l, free, err := s.Env.Store.TryLock(name, "removing old images from the nodes")
	if err != nil || !free {
		return none, err
	}
	defer l.Release()
	v, err := s.View(name)
	if gone := new(app.NoAppError); errors.As(err, &gone) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	noted, err := s.Env.Store.NodeImages()
	if err != nil {
		return none, err
	}
	keep, err := s.placedImages(v)
	if err != nil {
		return none, err
	}
	var repositories []string
	for _, k := range keep {
		repositories = append(repositories, engine.RepositoryOf(k))
	}
	if own := repositoryOf(v); slices.Contains(noted, own) {
		repositories = append(repositories, own)
	}
	if len(repositories) == 0 {
		return none, nil
	}
	slices.Sort(repositories)
	done, err := host.PruneNodes(ctx, slices.Compact(repositories), keep)
	if len(keep) == 0 && done.Left == 0 && err == nil { // the app has left the swarm
		err = s.forgetImages(func() ([]string, error) { return repositories, nil })
	}
	return done, err
}

// placedImages are the names by digest of the images that the kept releases of an app have on
// the swarm.
func (s *Server) placedImages(v app.View) (names []string, err error) {
	releases, err := s.Env.Store.Releases(v.Name)
	for _, r := range releases {
		if r.Remote != "" && r.OnSwarm() {
			names = append(names, r.Remote)
		}
	}
	return names, err
}

// repositoryOf is where the app's next image is pushed to.
func repositoryOf(v app.View) string { return v.RegistryServer() + v.ImageRepo() }

// PruneGone removes the images of apps that are gone, and those in repositories that no app has
// any more, from the nodes. What a node still has is tried again at the next call.
func (s *Server) PruneGone(ctx context.Context, log event.Log) error {
	gone, err := s.goneImages(false)
	if err != nil || len(gone) == 0 {
		return err
	}
	host, err := s.Host()
	if err != nil {
		return err
	}
	var removed int
	err = s.forgetImages(func() ([]string, error) {
		if gone, err = s.goneImages(true); err != nil || len(gone) == 0 {
			return nil, err
		}
		done, err := host.PruneNodes(ctx, gone, nil)
		if removed = done.Removed; done.Left > 0 || err != nil {
			return nil, err
		}
		return gone, nil
	})
	tellRemoved(log, removed, "apps that are gone")
	return err
}

// goneImages returns the noted repositories that no app has. Only careful looks at the
// releases, which takes longer.
func (s *Server) goneImages(careful bool) ([]string, error) {
	noted, err := s.Env.Store.NodeImages()
	if err != nil || len(noted) == 0 {
		return nil, err
	}
	apps, err := s.Env.Store.Apps()
	if err != nil {
		return nil, err
	}
	gone := slices.Clone(noted)
	for _, name := range apps {
		v, err := s.View(name)
		if none := new(app.NoAppError); errors.As(err, &none) {
			continue
		}
		if err != nil {
			return nil, err
		}
		has := []string{repositoryOf(v)}
		if careful {
			names, err := s.placedImages(v)
			if err != nil {
				return nil, err
			}
			for _, n := range names {
				has = append(has, engine.RepositoryOf(n))
			}
		}
		gone = slices.DeleteFunc(gone, func(r string) bool { return slices.Contains(has, r) })
	}
	return gone, nil
}

// forgetImages forgets the repositories that prune returns. No push notes one meanwhile, so that
// no image is removed that nodes are about to start. It does nothing while another process
// does this.
func (s *Server) forgetImages(prune func() ([]string, error)) error {
	l, free, err := s.Env.Store.TryLock(store.ImagesLock, "removing old images from the nodes")
	if err != nil || !free {
		return err
	}
	defer l.Release()
	repositories, err := prune()
	if err != nil {
		return err
	}
	return s.Env.Store.ForgetNodeImages(repositories)
}
