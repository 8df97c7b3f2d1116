package buildkit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/google/renameio/v2"
	control "github.com/moby/buildkit/api/services/control"
	"google.golang.org/grpc/status"

	"dokku/build"
)

// namespaceFile lies beside the app's manifest.
const namespaceFile = "build-namespace"

// namespace matches the content of the file.
var namespace = regexp.MustCompile(`^[0-9a-f]{32}$`)

// namespaceOf returns what tells the caches of an app from those of others. It is random and
// goes with the app's folder: the name of the app would let others guess the names of its
// caches, and give an app of the same name what a destroyed one has left. A damaged file
// counts as missing, which costs the app its caches.
func namespaceOf(r build.Request) (string, error) {
	path := filepath.Join(filepath.Dir(r.Manifest), namespaceFile)
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the name of the app's build cache: %w", err)
	}
	if namespace.Match(b) {
		return string(b), nil
	}
	random := make([]byte, 16)
	rand.Read(random) // never fails
	name := hex.EncodeToString(random)
	if err := renameio.WriteFile(path, []byte(name), 0o600); err != nil {
		return "", fmt.Errorf("cannot write the name of the app's build cache: %w", err)
	}
	return name, nil
}

// Named reports whether the app of a manifest has a name for its cache: the server's own
// BuildKit has built it.
func Named(manifest string) bool {
	_, err := os.Lstat(filepath.Join(filepath.Dir(manifest), namespaceFile))
	return err == nil
}

// forgetWait is how long a daemon may take to remove an app's caches.
const forgetWait = time.Minute

// Forget removes what the steps of an app have kept (--mount=type=cache) in the daemon at a
// socket, and gives the app a new name for its cache, under which its next build finds nothing.
// The rest goes when it is used least. It does nothing for an app that the daemon has not built.
func Forget(ctx context.Context, socket, manifest string) error {
	path := filepath.Join(filepath.Dir(manifest), namespaceFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	if _, err := os.Stat(socket); err != nil || !namespace.Match(b) {
		return nil // the daemon was removed
	}
	conn, err := dialDaemon(socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, forgetWait)
	defer cancel()
	// A cache is described by the words of its step and its id: with id "NAME/ID".
	removed, err := control.NewControlClient(conn).Prune(ctx, &control.PruneRequest{All: true, Filter: []string{`description~="id .` + string(b) + `/"`}})
	for err == nil {
		_, err = removed.Recv()
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("cannot remove what the builder of this server keeps of the app: %s", status.Convert(err).Message())
}
