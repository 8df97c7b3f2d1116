package buildtest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// Engine returns a client of the Docker Engine. It fails the test without one.
func Engine(t testing.TB) *client.Client {
	t.Helper()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	if _, err := cli.Ping(context.Background()); err != nil {
		t.Fatalf("these tests need a Docker Engine: %v", err)
	}
	return cli
}

// applets are the programs of busybox that an image has under their own names.
var applets = strings.Fields("sh basename cat chmod chown cp cut echo env find grep head httpd id kill ls mkdir mv nc ps pwd rm sed sleep sort stat su sync tail tar tee test touch tr true false wc xargs")

// BaseImage makes an image with busybox and more files, in the form of Files. Instructions
// of a Dockerfile, such as "ENV A=b", configure it. The image is removed with the test.
func BaseImage(t testing.TB, cli *client.Client, more Files, instructions ...string) (id string) {
	t.Helper()
	busybox, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("these tests need a static busybox (apt-get install busybox-static): %v", err)
	}
	all := Files{"100755 bin/busybox": string(busybox), "etc/passwd": "root:x:0:0::/:/bin/sh\n", "etc/group": "root:x:0:\n"}
	for _, a := range applets {
		all["120000 bin/"+a] = "busybox"
	}
	maps.Copy(all, more)
	return importImage(t, cli, bytes.NewReader(archive(t, all)), append([]string{"ENV PATH=/bin"}, instructions...)...)
}

// importImage makes an image of an archive, which is removed with the test.
func importImage(t testing.TB, cli *client.Client, from io.Reader, instructions ...string) (id string) {
	t.Helper()
	// With a name: the engine removes an unnamed image with the last one that builds on it.
	name := fmt.Sprintf("dokku-build-test:%d-%d", os.Getpid(), time.Now().UnixNano())
	answer, err := cli.ImageImport(context.Background(), image.ImportSource{Source: from, SourceName: "-"}, name,
		image.ImportOptions{Changes: instructions})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	var line struct{ Status, Error string }
	for d := json.NewDecoder(answer); ; {
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			break
		} else if err != nil || line.Error != "" {
			t.Fatal(err, line.Error)
		}
	}
	id = line.Status
	t.Cleanup(func() {
		if _, err := cli.ImageRemove(context.Background(), name, image.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	return id
}

// archive is a tar file of files and the folders that they lie in. A path that ends in a
// slash is a folder.
func archive(t testing.TB, f Files) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	entries := map[string]*tar.Header{"tmp/": {Name: "tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}}
	content := map[string]string{}
	for name, text := range f {
		mode, file, ok := strings.Cut(name, " ")
		if !ok || len(mode) != 6 {
			mode, file = "100644", name
		}
		for dir := path.Dir(strings.TrimSuffix(file, "/")); dir != "." && entries[dir+"/"] == nil; dir = path.Dir(dir) {
			entries[dir+"/"] = &tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755}
		}
		h := &tar.Header{Name: file, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))}
		switch {
		case strings.HasSuffix(file, "/"):
			h.Typeflag, h.Mode, h.Size = tar.TypeDir, 0o755, 0
		case mode == "120000":
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, text, 0
		case mode == "100755":
			h.Mode = 0o755
		}
		entries[file], content[file] = h, text
	}
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		h := entries[name]
		h.ModTime = time.Unix(1e9, 0)
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			io.WriteString(w, content[name])
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
