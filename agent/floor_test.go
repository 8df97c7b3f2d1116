package agent_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// A floor does what no deploy by push can do without, and nothing else: a bare
// git push over the same sshd to a repository without hooks, then the same
// build and the start of one container through the Docker API, up to its first
// answer. It uses nothing of this project.
type floor struct {
	docker *client.Client
	last   string
}

func newFloor(b *testing.B, bare, url string) *floor {
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		b.Fatal(err)
	}
	run(b, "", "git", "init", "-q", "--bare", bare)
	f := &floor{docker: cli}
	b.Cleanup(func() { f.remove(); cli.Close() })
	return f
}

func (f *floor) remove() {
	if f.last != "" {
		f.docker.ContainerRemove(context.Background(), f.last, container.RemoveOptions{Force: true})
	}
}

// deploy returns how long it took until the new version answered.
func (f *floor) deploy(b *testing.B, work, url, want string) time.Duration {
	ctx := context.Background()
	start := time.Now()
	run(b, work, "git", "push", "-q", url, "main")
	tree := archive(b, work)
	built, err := f.docker.ImageBuild(ctx, tree, build.ImageBuildOptions{Version: build.BuilderBuildKit, Tags: []string{"floor"}})
	if err != nil {
		b.Fatal(err)
	}
	io.Copy(io.Discard, built.Body)
	built.Body.Close()
	made, err := f.docker.ContainerCreate(ctx, &container.Config{Image: "floor"}, nil, nil, nil, "")
	if err == nil {
		err = f.docker.ContainerStart(ctx, made.ID, container.StartOptions{})
	}
	if err != nil {
		b.Fatal(err)
	}
	info, err := f.docker.ContainerInspect(ctx, made.ID)
	if err != nil {
		b.Fatal(err)
	}
	answered(b, net.JoinHostPort(info.NetworkSettings.Networks["bridge"].IPAddress, "5000"), "floor", want)
	took := time.Since(start)
	f.remove()
	f.last = made.ID
	return took
}

// archive is the build context: the files of the work tree.
func archive(b *testing.B, work string) io.Reader {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range []string{"Dockerfile", "busybox", "index.html"} {
		data, err := os.ReadFile(filepath.Join(work, name))
		if err != nil {
			b.Fatal(err)
		}
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))})
		w.Write(data)
	}
	w.Close()
	return &buf
}
