package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
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
			Command: shell,
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

// shell returns a command that does what p says, for an image with busybox.
func shell(p enginetest.Program) []string {
	var script strings.Builder
	for _, port := range p.Ports {
		fmt.Fprintf(&script, "httpd -p %d; httpd -p 127.0.0.1:%d\n", port, port+1)
	}
	script.WriteString("trap 'exit 3' USR1\n")
	if p.IgnoreStop {
		script.WriteString("trap '' TERM\n")
	} else {
		script.WriteString("stop() {\n")
		for _, line := range p.OnStop {
			fmt.Fprintf(&script, "echo '%s'\n", line)
		}
		script.WriteString("exit 0\n}\ntrap stop TERM\n")
	}
	if p.PID {
		script.WriteString("if [ $$ = 1 ]; then echo 'is process 1'; else echo 'is not process 1'; fi\n")
	}
	for _, to := range p.Dials {
		host, port, _ := strings.Cut(to, ":")
		fmt.Fprintf(&script, "if nc -w 5 %s %s </dev/null >/dev/null 2>&1; then echo 'reached %s'; else echo 'cannot reach %[3]s'; fi\n", host, port, to)
	}
	for _, name := range p.Writes {
		fmt.Fprintf(&script, "if (echo written >%s) 2>/dev/null; then echo 'wrote %[1]s'; else echo 'cannot write %[1]s'; fi\n", name)
	}
	for _, name := range p.Reads {
		fmt.Fprintf(&script, "if text=$(cat %s 2>/dev/null); then echo \"read $text from %[1]s\"; else echo 'cannot read %[1]s'; fi\n", name)
	}
	for _, line := range p.Output {
		fmt.Fprintf(&script, "echo '%s'\n", line)
	}
	if p.Allocates > 0 {
		fmt.Fprintf(&script, "memory=$(yes | head -c %d)\n", p.Allocates)
	}
	for _, line := range p.Errors {
		fmt.Fprintf(&script, "echo '%s' >&2\n", line)
	}
	if p.Sizes {
		script.WriteString("trap 'stty size' WINCH\nstty size\n")
	}
	if p.Cat {
		script.WriteString("cat\n")
	}
	if p.Exits || p.Cat {
		fmt.Fprintf(&script, "exit %d\n", p.Code)
	}
	script.WriteString("while :; do sleep 1000 & wait $!; done\n")
	return []string{"sh", "-c", script.String()}
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
	return imported(t, d, root(t), changes, tags...)
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

// root returns the root file system of the images.
func root(t *testing.T) []byte {
	t.Helper()
	files, err := rootOnce()
	if err != nil {
		t.Fatalf("these tests need Debian's busybox-static: %v", err)
	}
	return files
}

var rootOnce = sync.OnceValues(func() ([]byte, error) {
	binary, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	headers := []*tar.Header{
		{Name: "bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(binary))},
	}
	for _, name := range strings.Fields("sh echo sleep httpd nc cat true false yes head stty env") {
		headers = append(headers, &tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox"})
	}
	for _, h := range headers {
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if h.Size > 0 {
			if _, err := w.Write(binary); err != nil {
				return nil, err
			}
		}
	}
	return buf.Bytes(), w.Close()
})
