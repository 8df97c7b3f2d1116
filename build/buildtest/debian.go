package buildtest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// debianSuite is the release of Debian of the builders' images.
const debianSuite = "bookworm"

// bootstrapping is held while debian makes an archive.
var bootstrapping sync.Mutex

// debian returns the archive of a root file system of a suite of Debian with packages. debootstrap
// makes it once for a user: it takes a minute.
func debian(t testing.TB, suite string, packages ...string) string {
	t.Helper()
	bootstrapping.Lock()
	defer bootstrapping.Unlock()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "dokku-tests", suite+"-"+strings.Join(packages, "-")+".tar")
	if _, err := os.Stat(file); err == nil {
		return file
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root")
	for _, argv := range [][]string{
		{"debootstrap", "--variant=minbase", "--include=" + strings.Join(packages, ","), suite, root},
		{"tar", "-C", root, "--exclude=./var/cache/apt", "--exclude=./var/lib/apt/lists", "--exclude=./usr/share/doc", "-cf", file + ".new", "."},
	} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v (install.sh test installs it)\n%s", argv[0], err, out[max(0, len(out)-2000):])
		}
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	return file
}

// DebianBuilder is BuilderImages with images of Debian that have packages.
func DebianBuilder(t testing.TB, cli *client.Client, packs []Buildpack, packages ...string) (id, run string) {
	t.Helper()
	file, err := os.Open(debian(t, debianSuite, packages...))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	run = importImage(t, cli, file, "ENV PATH=/usr/local/bin:/usr/bin:/bin", "USER "+builderUser, "LABEL io.buildpacks.base.distro.name=debian", "LABEL io.buildpacks.base.distro.version=12")
	files, lines := builder(t, packs, run)
	ctx := context.Background()
	made, err := cli.ContainerCreate(ctx, &container.Config{Image: run, Cmd: []string{"true"}}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer cli.ContainerRemove(ctx, made.ID, container.RemoveOptions{Force: true})
	if err := cli.CopyToContainer(ctx, made.ID, "/", bytes.NewReader(archive(t, files)), container.CopyToContainerOptions{}); err != nil {
		t.Fatal(err)
	}
	committed, err := cli.ContainerCommit(ctx, made.ID, container.CommitOptions{Changes: lines})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := cli.ImageRemove(ctx, committed.ID, image.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	return committed.ID, run
}
