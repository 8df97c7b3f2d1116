package pack

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	oci "github.com/opencontainers/image-spec/specs-go/v1"
)

// writeSparse writes an image as an OCI layout without its layers: the lifecycle only
// looks at what they are called. write gets the entries.
func writeSparse(dir string, i foundImage, write func(tar.Header, []byte) error) error {
	c := i.config
	image := oci.Image{Platform: oci.Platform{OS: i.os, Architecture: i.arch}, RootFS: oci.RootFS{Type: "layers"},
		Config: oci.ImageConfig{User: c.User, Env: c.Env, Labels: c.Labels, Entrypoint: c.Entrypoint, Cmd: c.Cmd, WorkingDir: c.WorkingDir}}
	manifest := oci.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeImageManifest}
	for _, id := range i.layers {
		image.RootFS.DiffIDs = append(image.RootFS.DiffIDs, digest.Digest(id))
		image.History = append(image.History, oci.History{})
		// Their digests are never compared with anything. A size of 0 would make files.
		manifest.Layers = append(manifest.Layers, oci.Descriptor{MediaType: oci.MediaTypeImageLayer, Digest: digest.Digest(id), Size: 1})
	}
	dirs := []string{"", "/blobs", "/blobs/sha256"}
	parent := dir[:strings.LastIndexByte(dir, '/')]
	if err := write(tar.Header{Name: parent + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil); err != nil {
		return err
	}
	for _, d := range dirs {
		if err := write(tar.Header{Name: dir + d + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil); err != nil {
			return err
		}
	}
	blob := func(mediaType string, value any) (d oci.Descriptor, err error) {
		content, err := json.Marshal(value)
		if err != nil {
			return d, err
		}
		sum := sha256.Sum256(content)
		name := hex.EncodeToString(sum[:])
		d = oci.Descriptor{MediaType: mediaType, Digest: digest.NewDigestFromEncoded(digest.SHA256, name), Size: int64(len(content))}
		return d, write(tar.Header{Name: dir + "/blobs/sha256/" + name, Mode: 0o644}, content)
	}
	var err error
	if manifest.Config, err = blob(oci.MediaTypeImageConfig, image); err != nil {
		return err
	}
	d, err := blob(oci.MediaTypeImageManifest, manifest)
	if err != nil {
		return err
	}
	index, err := json.Marshal(oci.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: oci.MediaTypeImageIndex, Manifests: []oci.Descriptor{d}})
	if err != nil {
		return err
	}
	if err := write(tar.Header{Name: dir + "/" + oci.ImageIndexFile, Mode: 0o644}, index); err != nil {
		return err
	}
	return write(tar.Header{Name: dir + "/" + oci.ImageLayoutFile, Mode: 0o644}, []byte(`{"imageLayoutVersion":"`+oci.ImageLayoutVersion+`"}`))
}

// exported is an image as the exporter wrote it.
type exported struct {
	config   []byte
	layers   []oci.Descriptor
	diffIDs  []digest.Digest
	metadata metadata
}

// readExported reads the image in a layout with one image. read returns a file of it.
func readExported(read func(name string) ([]byte, error)) (exported, error) {
	var e exported
	var index oci.Index
	if err := readJSON(read, oci.ImageIndexFile, &index); err != nil {
		return e, err
	}
	if len(index.Manifests) != 1 {
		return e, fmt.Errorf("the exported image has %d manifests instead of one", len(index.Manifests))
	}
	var manifest oci.Manifest
	if err := readBlob(read, index.Manifests[0], &manifest); err != nil {
		return e, err
	}
	var config oci.Image
	if err := readBlob(read, manifest.Config, &config); err != nil {
		return e, err
	}
	var err error
	if e.config, err = read(blobPath(manifest.Config.Digest)); err != nil {
		return e, err
	}
	e.layers, e.diffIDs = manifest.Layers, config.RootFS.DiffIDs
	if len(e.layers) != len(e.diffIDs) {
		return e, fmt.Errorf("the exported image has %d layers, but its configuration names %d", len(e.layers), len(e.diffIDs))
	}
	e.metadata, err = readMetadata(config.Config.Labels)
	return e, err
}

func blobPath(d digest.Digest) string { return "blobs/" + strings.Replace(d.String(), ":", "/", 1) }

// readBlob reads a blob and checks that it is the one that its digest names.
func readBlob(read func(string) ([]byte, error), d oci.Descriptor, to any) error {
	if err := d.Digest.Validate(); err != nil {
		return fmt.Errorf("the exported image names the digest %q: %w", d.Digest, err)
	}
	content, err := read(blobPath(d.Digest))
	if err != nil {
		return err
	}
	if digest.FromBytes(content) != d.Digest {
		return fmt.Errorf("the exported image is damaged: %s has another content", d.Digest)
	}
	return json.NewDecoder(bytes.NewReader(content)).Decode(to)
}

func readJSON(read func(string) ([]byte, error), name string, to any) error {
	content, err := read(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, to); err != nil {
		return fmt.Errorf("the exported image is damaged: %s: %w", name, err)
	}
	return nil
}
