package pack

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/client"
	"github.com/opencontainers/go-digest"

	"dokku/build"
)

// load brings the exported image into the engine.
func (j *job) load(ctx context.Context) (builtImage, error) {
	dir := layoutPath(outputImage) + "/latest"
	e, err := readExported(func(name string) ([]byte, error) { return readFile(ctx, j.private, path.Join(dir, name)) })
	if err != nil {
		return builtImage{}, err
	}
	base := len(j.run.layers)
	if len(e.diffIDs) < base || !slices.EqualFunc(e.diffIDs[:base], j.run.layers, func(d digest.Digest, layer string) bool { return string(d) == layer }) {
		return builtImage{}, fmt.Errorf("the exported image does not build on the run image %s", j.run.name)
	}
	procfile, skipped := e.metadata.procfile()
	for _, t := range skipped {
		j.out.line(build.Line{Kind: build.KindOutput, Step: step(5, "export"),
			Text: build.OutputIndent + "the process type " + t + " is left out: a type has letters, digits, - and _"})
	}
	if procfile == nil && j.Procfile == nil {
		return builtImage{}, &build.Error{Commit: j.Commit.Short, Step: step(5, "export"),
			Reason: "the buildpacks name no process that the app runs; add a Procfile with the line web: COMMAND"}
	}
	a := &archive{exported: e, base: base, labels: j.Labels}
	if a.save, err = j.wholeImages(ctx); err != nil {
		return builtImage{}, err
	}
	id, err := a.into(ctx, j.client, func(each func(name string, r sized) error) error {
		return j.private.CopyOut(ctx, dir+"/blobs/sha256", func(r *tar.Reader) error { return eachFile(r, each) })
	})
	return builtImage{id: id, procfile: procfile}, err
}

// eachFile calls fn for every file of an archive, with the last part of its name.
func eachFile(r *tar.Reader, fn func(name string, r sized) error) error {
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && h.Typeflag == tar.TypeReg {
			err = fn(path.Base(h.Name), sized{r, h.Size})
		}
		if err != nil {
			return err
		}
	}
}

// sized is a reader whose length is known.
type sized struct {
	io.Reader
	size int64
}

// archive is an exported image in the form in which every engine loads images. Layers of
// the run image are named and left out: the engine has them, and looks for a layer's file
// only if it does not.
type archive struct {
	exported
	base   int // the number of layers of the run image
	labels map[string]string
	// save returns the run image as docker save writes it; nil: its layers are left out.
	save func() (io.ReadCloser, error)
}

// into loads the archive into the engine and returns the image's id.
func (a *archive) into(ctx context.Context, cli *client.Client, blobs func(func(string, sized) error) error) (string, error) {
	r, w := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := a.write(w, blobs)
		w.CloseWithError(err)
		written <- err
	}()
	id, err := loadImage(ctx, cli, r)
	r.CloseWithError(io.ErrClosedPipe)
	if wrote := <-written; wrote != nil && !errors.Is(wrote, io.ErrClosedPipe) && ctx.Err() == nil {
		return "", wrote // the engine's error is that the archive broke off
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	return id, err
}

func loadImage(ctx context.Context, cli *client.Client, r io.Reader) (id string, err error) {
	answer, err := cli.ImageLoad(ctx, r, client.ImageLoadWithQuiet(true))
	if err == nil {
		id, err = readLoaded(answer.Body)
		answer.Body.Close()
	}
	if err != nil {
		return "", fmt.Errorf("the engine cannot load the image: %w", err)
	}
	return id, nil
}

// notUnpacked begins what the image store of containerd answers, as if it were no error, if
// it has an image and cannot make its files.
const notUnpacked = "Error unpacking image "

// readLoaded reads the engine's answer to a load of one image. Errors stand in the answer,
// whose status is a success by then.
func readLoaded(answer io.Reader) (id string, err error) {
	for d := json.NewDecoder(answer); ; {
		var line struct{ Stream, Error string }
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
		switch rest, ok := strings.CutPrefix(line.Stream, "Loaded image ID: "); {
		case line.Error != "":
			return "", errors.New(line.Error)
		case strings.HasPrefix(line.Stream, notUnpacked):
			return "", errors.New(strings.TrimSpace(line.Stream))
		case ok:
			id = strings.TrimSpace(rest)
		}
	}
	if id == "" {
		return "", errors.New("it named no image")
	}
	return id, nil
}

// write writes the archive. Every layer that is not of the run image has to be there,
// with the content that its digests name: the engine would take one that it has of
// another app by its digest alone.
func (a *archive) write(to io.Writer, blobs func(func(string, sized) error) error) error {
	w := tar.NewWriter(to)
	missing := map[string]digest.Digest{} // by digest, the diff id
	for i := a.base; i < len(a.layers); i++ {
		missing[a.layers[i].Digest.Encoded()] = a.diffIDs[i]
	}
	err := blobs(func(name string, r sized) error {
		diffID, ok := missing[name]
		if !ok {
			return nil
		}
		delete(missing, name)
		return writeLayer(w, name, diffID, r)
	})
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("the exported image lacks the layer %s", slices.Sorted(maps.Keys(missing))[0])
	}
	config, err := labelled(a.config, a.labels)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(config)
	name := hex.EncodeToString(sum[:]) + ".json"
	if err := put(w, tar.Header{Name: name, Mode: 0o644}, config); err != nil {
		return err
	}
	list := savedImage{Config: name}
	if a.save != nil {
		if list.Layers, err = a.copyBase(w); err != nil {
			return err
		}
	}
	for _, l := range a.layers[len(list.Layers):] {
		list.Layers = append(list.Layers, l.Digest.Encoded()+".tar")
	}
	manifest, err := json.Marshal([]savedImage{list})
	if err != nil {
		return err
	}
	if err := put(w, tar.Header{Name: "manifest.json", Mode: 0o644}, manifest); err != nil {
		return err
	}
	return w.Close()
}

// writeLayer copies a layer as it is and checks both of its digests.
func writeLayer(w *tar.Writer, name string, diffID digest.Digest, r sized) error {
	h := tar.Header{Name: name + ".tar", Typeflag: tar.TypeReg, Mode: 0o644, Size: r.size, ModTime: fileTime}
	if err := w.WriteHeader(&h); err != nil {
		return err
	}
	whole := sha256.New()
	pr, pw := io.Pipe()
	inflated := make(chan string, 1)
	go func() {
		sum, err := inflate(pr)
		pr.CloseWithError(err)
		inflated <- sum
	}()
	_, err := io.Copy(io.MultiWriter(w, whole, pw), r)
	pw.CloseWithError(err)
	sum := <-inflated
	if err == nil && (hex.EncodeToString(whole.Sum(nil)) != name || sum != diffID.Encoded()) {
		err = fmt.Errorf("the exported image is damaged: the layer %s has another content", name)
	}
	return err
}

// inflate returns the digest of a layer's content without compression.
func inflate(r io.Reader) (string, error) {
	sum := sha256.New()
	z, err := gzip.NewReader(r)
	if err != nil {
		return "", fmt.Errorf("the exported image has a layer that is not compressed with gzip: %w", err)
	}
	if _, err := io.Copy(sum, z); err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, r)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// labelled adds labels to an image's configuration.
func labelled(config []byte, labels map[string]string) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(config, &all); err != nil {
		return nil, err
	}
	inner := map[string]json.RawMessage{}
	if raw := all["config"]; raw != nil {
		if err := json.Unmarshal(raw, &inner); err != nil {
			return nil, err
		}
	}
	old := map[string]string{}
	if raw := inner["Labels"]; raw != nil {
		if err := json.Unmarshal(raw, &old); err != nil {
			return nil, err
		}
	}
	maps.Copy(old, labels)
	var err error
	if inner["Labels"], err = json.Marshal(old); err != nil {
		return nil, err
	}
	if all["config"], err = json.Marshal(inner); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}
