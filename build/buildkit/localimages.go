package buildkit

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
	"path"
	"path/filepath"
	"strings"

	content "github.com/containerd/containerd/api/services/content/v1"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/client"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// localFolder lies beside the app's manifest while a build runs.
	localFolder = "build-images"
	// localStore is what the daemon calls the images that this program sends.
	localStore = "local"
	// readChunk is the size in bytes of the pieces in which a layer is sent.
	readChunk = 1 << 20
)

// localImages are images of the engine that a build may use: see build.Request.LocalImages. The
// daemon asks for their blobs over the session, those alone that it does not have.
type localImages struct {
	content.UnimplementedContentServer
	dir string
	// contexts are the digests of the manifests, by the names of the images.
	contexts map[string]digest.Digest
}

// exportImages writes the images that a Dockerfile names, and that it may use, to a folder that
// close removes. An image that the engine does not have is left out: the daemon then asks its
// registry.
func exportImages(ctx context.Context, engine *client.Client, r job) (*localImages, error) {
	l := &localImages{dir: filepath.Join(filepath.Dir(r.Manifest), localFolder), contexts: map[string]digest.Digest{}}
	l.close() // what a killed build has left
	for _, name := range named(r) {
		err := os.MkdirAll(l.dir, 0o700)
		if err == nil {
			err = l.export(ctx, engine, name)
		}
		if err != nil && !errdefs.IsNotFound(err) {
			l.close()
			return nil, fmt.Errorf("cannot use the image %s: %w", name, err)
		}
	}
	return l, nil
}

// named are the images of the request that its Dockerfile, or an argument of it, names. It may
// be more than those that are used.
func named(r job) (list []string) {
	text, _, err := r.Source.Read(r.Commit, r.dockerfile, maxExplained)
	if err != nil {
		return nil
	}
	words := string(text)
	for _, v := range r.BuildArgs {
		words += "\n" + v
	}
	for _, name := range r.LocalImages {
		ref, err := reference.ParseNormalizedNamed(name)
		if err == nil && strings.Contains(words, path.Base(reference.FamiliarName(ref))) {
			list = append(list, strings.TrimSuffix(reference.FamiliarString(ref), ":latest"))
		}
	}
	return list
}

// export writes an image's blobs and a manifest of them.
func (l *localImages) export(ctx context.Context, engine *client.Client, name string) error {
	if _, err := engine.ImageInspect(ctx, name); err != nil {
		return err
	}
	archive, err := engine.ImageSave(ctx, []string{name})
	if err != nil {
		return err
	}
	defer archive.Close()
	blobs := map[string]ocispec.Descriptor{} // by their paths in the archive
	links := map[string]string{}
	var saved []struct {
		Config string
		Layers []string
	}
	for t := tar.NewReader(archive); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch {
		case h.Typeflag == tar.TypeSymlink: // of older engines: a layer that another image has too
			links[h.Name] = path.Join(path.Dir(h.Name), h.Linkname)
		case h.Typeflag != tar.TypeReg:
		case h.Name == "manifest.json":
			err = json.NewDecoder(t).Decode(&saved)
		default:
			blobs[h.Name], err = l.put(t)
		}
		if err != nil {
			return err
		}
	}
	if len(saved) != 1 {
		return fmt.Errorf("the engine saved %d images", len(saved))
	}
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: blobs[saved[0].Config]}
	m.Config.MediaType = ocispec.MediaTypeImageConfig
	for _, layer := range saved[0].Layers {
		if to, ok := links[layer]; ok {
			layer = to
		}
		d, ok := blobs[layer]
		if !ok {
			return fmt.Errorf("the engine did not save its layer %s", layer)
		}
		m.Layers = append(m.Layers, d)
	}
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	d, err := l.put(strings.NewReader(string(b)))
	l.contexts[name] = d.Digest
	return err
}

// put writes a blob under its digest, and tells a compressed layer from another one.
func (l *localImages) put(r io.Reader) (d ocispec.Descriptor, err error) {
	f, err := os.CreateTemp(l.dir, "new")
	if err != nil {
		return d, err
	}
	defer f.Close()
	sum := sha256.New()
	if d.Size, err = io.Copy(io.MultiWriter(f, sum), r); err != nil {
		return d, err
	}
	d.MediaType = ocispec.MediaTypeImageLayer
	var magic [2]byte
	if _, err := f.ReadAt(magic[:], 0); err == nil && magic == [2]byte{0x1f, 0x8b} {
		d.MediaType = ocispec.MediaTypeImageLayerGzip
	}
	d.Digest = digest.NewDigestFromBytes(digest.SHA256, sum.Sum(nil))
	return d, os.Rename(f.Name(), l.blob(d.Digest.Encoded()))
}

func (l *localImages) blob(sum string) string { return filepath.Join(l.dir, sum) }

func (l *localImages) close() { os.RemoveAll(l.dir) }

// attributes tell the frontend where the images are.
func (l *localImages) attributes(a map[string]string) {
	for name, d := range l.contexts {
		a["context:"+name] = "oci-layout://" + localStore + "@" + d.String()
	}
}

// Register serves the images on a session.
func (l *localImages) Register(s *grpc.Server) { content.RegisterContentServer(s, l) }

// open opens a blob by the digest of a request.
func (l *localImages) open(name string) (*os.File, int64, error) {
	sum, ok := strings.CutPrefix(name, "sha256:")
	if b, err := hex.DecodeString(sum); !ok || err != nil || len(b) != sha256.Size {
		return nil, 0, status.Errorf(codes.InvalidArgument, "%q is no digest", name)
	}
	f, err := os.Open(l.blob(sum))
	if err != nil {
		return nil, 0, status.Errorf(codes.NotFound, "there is no blob %s", name)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// Info implements content.ContentServer.
func (l *localImages) Info(_ context.Context, r *content.InfoRequest) (*content.InfoResponse, error) {
	f, size, err := l.open(r.Digest)
	if err != nil {
		return nil, err
	}
	f.Close()
	return &content.InfoResponse{Info: &content.Info{Digest: r.Digest, Size: size}}, nil
}

// Read implements content.ContentServer.
func (l *localImages) Read(r *content.ReadContentRequest, to content.Content_ReadServer) error {
	f, size, err := l.open(r.Digest)
	if err != nil {
		return err
	}
	defer f.Close()
	if r.Offset < 0 || r.Offset > size || r.Size < 0 {
		return status.Errorf(codes.OutOfRange, "blob %s has no bytes from %d on", r.Digest, r.Offset)
	}
	if r.Size > 0 {
		size = min(size, r.Offset+r.Size)
	}
	b := make([]byte, readChunk)
	for at := r.Offset; at < size; {
		n, err := f.ReadAt(b[:min(int64(len(b)), size-at)], at)
		if n == 0 {
			return err
		}
		if err := to.Send(&content.ReadContentResponse{Offset: at, Data: b[:n]}); err != nil {
			return err
		}
		at += int64(n)
	}
	return nil
}
