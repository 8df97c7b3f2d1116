package machine_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// A floor performs only the steps that no deploy can avoid: a bare git push over the same
// sshd to a repository without hooks, the same build, and the start of one container
// through the Docker API, up to its first answer. It uses no code of this project.
type floor struct {
	docker        *client.Client
	network, last string
}

func newFloor(b *testing.B, bare, network string) *floor {
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	must(b, err)
	run(b, "", "git", "init", "-q", "--bare", bare)
	if network != "bridge" { // on a network of their own, containers know each other by name
		run(b, "", "docker", "network", "create", network)
		b.Cleanup(func() { run(b, "", "docker", "network", "rm", network) })
	}
	f := &floor{docker: cli, network: network}
	b.Cleanup(f.remove)
	return f
}

func (f *floor) remove() {
	f.docker.ContainerRemove(context.Background(), f.last, container.RemoveOptions{Force: true})
}

// deploy returns the time until the new version answered.
func (f *floor) deploy(b *testing.B, work, url, want string) time.Duration {
	ctx, start := context.Background(), time.Now()
	run(b, work, "git", "push", "-q", url, "main")
	built, err := f.docker.ImageBuild(ctx, archive(b, work), build.ImageBuildOptions{Version: build.BuilderBuildKit, Tags: []string{"floor"}})
	must(b, err)
	io.Copy(io.Discard, built.Body)
	built.Body.Close()
	return time.Since(start) + f.start(b, want)
}

// start starts a container of the image that was built last. It returns the time until it
// answered.
func (f *floor) start(b *testing.B, want string) time.Duration {
	ctx, start := context.Background(), time.Now()
	made, err := f.docker.ContainerCreate(ctx, &container.Config{Image: "floor"}, &container.HostConfig{NetworkMode: container.NetworkMode(f.network)}, nil, nil, "")
	must(b, err)
	must(b, f.docker.ContainerStart(ctx, made.ID, container.StartOptions{}))
	info, err := f.docker.ContainerInspect(ctx, made.ID)
	must(b, err)
	answers(b, net.JoinHostPort(info.NetworkSettings.Networks[f.network].IPAddress, "5000"), want)
	took := time.Since(start)
	f.remove()
	f.last = made.ID
	return took
}

// answers connects until a process listens, and reads one answer.
func answers(b *testing.B, address, want string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if resp, err := http.Get("http://" + address + "/"); err == nil {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if strings.TrimSpace(string(body)) == want {
				return
			}
		}
	}
	b.Fatalf("%s does not answer %q", address, want)
}

// archive is the build context: the files of the work tree.
func archive(b *testing.B, work string) io.Reader {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range []string{"Dockerfile", "busybox", "index.html"} {
		data, err := os.ReadFile(filepath.Join(work, name))
		must(b, err)
		w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))})
		w.Write(data)
	}
	w.Close()
	return &buf
}
