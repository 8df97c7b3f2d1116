package swarm

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

	"dokku/agent/engine"
)

// sumOf returns the SHA-256 of a file.
func sumOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}

// pushProgram makes an image of the program alone, and pushes it.
func (e *Engine) pushProgram(ctx context.Context, cli *client.Client, repository, sum string, auth engine.RegistryAuth) (remote string, err error) {
	f, err := os.Open(e.guard.config.Program)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	r, w := io.Pipe()
	go func() {
		files := tar.NewWriter(w)
		err := files.WriteHeader(&tar.Header{Name: "dokku", Mode: 0o755, Size: info.Size()})
		if err == nil {
			_, err = io.Copy(files, f)
		}
		w.CloseWithError(errors.Join(err, files.Close()))
	}()
	defer r.Close()
	answer, err := cli.ImageImport(ctx, image.ImportSource{Source: r, SourceName: "-"}, "", image.ImportOptions{Changes: []string{`ENTRYPOINT ["/dokku"]`, "LABEL " + labelProgram + "=" + sum}})
	if err != nil {
		return "", err
	}
	defer answer.Close()
	id, err := importedID(answer)
	if err != nil {
		return "", fmt.Errorf("cannot make its image: %w", err)
	}
	remote, err = e.docker.Push(ctx, id, repository+":"+sum[:12], auth, nil)
	if _, failed := cli.ImageRemove(ctx, id, image.RemoveOptions{}); failed != nil && !errdefs.IsNotFound(failed) && !errdefs.IsConflict(failed) {
		err = errors.Join(err, failed)
	}
	return remote, err
}

// importedID reads the id of an image from the engine's messages.
func importedID(messages io.Reader) (id string, err error) {
	for dec := json.NewDecoder(messages); ; {
		var m struct{ Status, Error string }
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
		if m.Error != "" {
			return "", errors.New(m.Error)
		}
		if strings.HasPrefix(m.Status, "sha256:") {
			id = m.Status
		}
	}
	if id == "" {
		err = errors.New("the engine names no image")
	}
	return id, err
}
