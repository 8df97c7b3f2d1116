package docker_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"

	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/engine/enginetest"
)

func TestDocker(t *testing.T) {
	d := newDocker(t)
	enginetest.Run(t, func(t *testing.T) enginetest.Fixture {
		return enginetest.Fixture{
			Dials: true,
			Host:  d,
			Image: func(_ *testing.T, app string, tags ...string) string {
				return busybox(t, d, app, nil, tags...) // of the run, not of one test
			},
			RemoveVolume: func(t *testing.T, name string) {
				if err := d.Client().VolumeRemove(context.Background(), name, false); err != nil {
					t.Error(err)
				}
			},
			Cache: func(t *testing.T, app, name string) {
				makeVolume(t, d, name, map[string]string{engine.LabelApp: app})
			},
			Scratch: func(t *testing.T, app, name string) {
				makeVolume(t, d, name, map[string]string{engine.LabelApp: app, engine.LabelContainerType: string(engine.KindBuild)})
			},
			Crash: func(t *testing.T, id string) {
				// The init passes the signal on. The container's end may kill this command too.
				if _, _, err := d.Exec(t.Context(), id, []string{"sh", "-c", "kill -USR1 1"}); err != nil {
					t.Error(err)
				}
			},
			Command: enginetest.Shell,
		}
	})
}

// makeVolume makes a volume until the test's end.
func makeVolume(t *testing.T, d *docker.Engine, name string, labels map[string]string) {
	t.Helper()
	if _, err := d.Client().VolumeCreate(context.Background(), volume.CreateOptions{Name: name, Labels: labels}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Client().VolumeRemove(context.Background(), name, true) })
}

// newDocker returns the engine of this machine. Without one the tests fail: a skipped test
// proves nothing.
func newDocker(t *testing.T) *docker.Engine {
	t.Helper()
	d, err := docker.New(docker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	if _, err := d.Observe(t.Context(), "none"); err != nil {
		t.Fatalf("these tests need a Docker Engine: %v", err)
	}
	return d
}

// busybox makes an image that has a shell, without a registry. Changes are lines of a
// Dockerfile.
func busybox(t *testing.T, d *docker.Engine, app string, changes []string, tags ...string) string {
	t.Helper()
	changes = append(changes, "EXPOSE 8080/tcp 80 53/udp", "ENV PATH=/bin",
		fmt.Sprintf("LABEL %s=fake %s=fake", engine.LabelAttempt, engine.LabelProcessType))
	if app != "" {
		changes = append(changes, fmt.Sprintf("LABEL %s=%s", engine.LabelApp, app))
	}
	return imported(t, d, enginetest.Busybox(t), changes, tags...)
}

// imported makes an image of a root file system.
func imported(t *testing.T, d *docker.Engine, files []byte, changes []string, tags ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cli := d.Client()
	answer, err := cli.ImageImport(ctx, image.ImportSource{Source: bytes.NewReader(files), SourceName: "-"},
		"", image.ImportOptions{Changes: changes})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	text, err := io.ReadAll(answer)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(text, []byte("sha256:"))
	if at < 0 {
		t.Fatalf("import answers %q", text)
	}
	id := string(text[at : at+len("sha256:")+64])
	t.Cleanup(func() {
		cli.ImageRemove(context.Background(), id, image.RemoveOptions{Force: true})
	})
	for _, tag := range tags {
		if err := cli.ImageTag(ctx, id, tag); err != nil {
			t.Fatal(err)
		}
	}
	return id
}
