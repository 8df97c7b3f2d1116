package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"dokku/agent"
	"dokku/agent/deploy"
	"dokku/agent/engine"
	"dokku/agent/engine/node"
	"dokku/agent/store"
)

// backupNodes has the files of a node.Set.
const backupNodes = "nodes"

var nodesMember = regexp.MustCompile(`^` + backupNodes + `/(authority|(node|door|manager)\.dokku)/server\.(crt|key)$`)

// backUpNodeKeys copies the keys by which the nodes of a swarm know this server.
func backUpNodeKeys(s *agent.Server, dir string) error {
	set, err := deploy.NodeKeys(s.Env.Store).Load()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	files := set.Files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, backupNodes, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, files[name], 0o600); err != nil {
			return err
		}
	}
	return nil
}

// nodeKeysOf returns the keys of the nodes in the backup; ok is false if it has none.
func (x *restore) nodeKeysOf() (set node.Set, ok bool, err error) {
	set, err = node.ReadSet(filepath.Join(x.dir, backupNodes))
	if errors.Is(err, fs.ErrNotExist) {
		return set, false, nil
	}
	if err != nil {
		err = fmt.Errorf("the keys of the nodes in it: %w", inBackup(x.dir, err))
	}
	return set, err == nil, err
}

// untilRestored is what follows from new keys.
const untilRestored = "requests to an app on the swarm fail until it is restored%s"

// restoreNodeKeys takes over the keys that the nodes of this server's swarm have: it replaces the
// server that gave them, and visitors are served by them.
func (x *restore) restoreNodeKeys(ctx context.Context) error {
	set, ok, err := x.nodeKeysOf()
	if err != nil {
		return err
	}
	host, err := x.Server.Host()
	if err != nil {
		return err
	}
	have, err := host.NodeServiceKeys(ctx)
	switch {
	case errors.Is(err, engine.ErrNoCluster), errors.Is(err, engine.ErrNoManager), err == nil && have == "":
		return nil // no node has keys: the first process makes new ones
	case err != nil && !ok:
		return nil // there is nothing to restore, and it goes without an engine
	}
	if err != nil {
		return err
	}
	keys := deploy.NodeKeys(x.Server.Env.Store)
	own, err := keys.Load()
	if err == nil && node.ID(own.Node) == have {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l, err := x.Server.Env.Store.LockApp(ctx, store.NodesLock, "restoring the keys of the nodes", x.log)
	if err != nil {
		return err
	}
	defer l.Release()
	switch {
	case !ok:
		x.log.Warn("This backup has no keys of the nodes: "+untilRestored, "")
	case !x.o.OnHost:
		x.log.Warn("The keys of the nodes are not restored over ssh: "+untilRestored, " (the same on the server itself restores them)")
	case have != node.ID(set.Node):
		x.log.Warn("The keys of the nodes have changed since this backup was made: "+untilRestored, "")
	default:
		x.log.Step("Restoring the keys of the nodes")
		return keys.Adopt(ctx, set)
	}
	_, err = keys.Make(ctx, time.Now()) // without keys, this server places nothing
	return err
}
