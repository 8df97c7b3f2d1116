package container

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/client"

	"dokku/build"
	"dokku/build/buildtest"
)

// labelKind is a label of package engine, which this package does not import.
const labelKind = "com.dokku.container-type"

// lab is an app on the real engine.
type lab struct {
	buildtest.Resources
	t      testing.TB
	cli    *client.Client
	engine *Engine
	app    string
	image  string
}

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{t: t, cli: buildtest.Engine(t), app: fmt.Sprintf("container-test-%d-%d", os.Getpid(), time.Now().UnixNano())}
	l.image = buildtest.BaseImage(t, l.cli, nil, `LABEL base=yes`, `CMD ["base"]`)
	l.engine = New(Config{Client: func() *client.Client { return l.cli }, Labels: map[string]string{labelKind: "build"}})
	l.Resources = buildtest.Resources{T: t, Client: l.cli, App: l.app}
	t.Cleanup(func() { l.Remove(0) })
	return l
}

// spec is a container that runs a shell script.
func (l *lab) spec(script string) Spec {
	return Spec{Name: l.app + ".build.test", Image: l.image, Command: []string{"sh", "-c", script}, Labels: map[string]string{buildtest.LabelApp: l.app}}
}

// create makes a container that is removed with the test.
func (l *lab) create(s Spec) *Container {
	l.t.Helper()
	c, err := l.engine.Create(l.t.Context(), s)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		if err := c.Remove(); err != nil {
			l.t.Error(err)
		}
	})
	return c
}

// run runs a container and returns what it printed.
func (l *lab) run(c *Container) (End, []build.Line) {
	l.t.Helper()
	var lines []build.Line
	end, err := c.Run(l.t.Context(), "test step", func(line build.Line) { lines = append(lines, line) })
	if err != nil {
		l.t.Fatal(err)
	}
	return end, lines
}

// output runs a script and returns its output.
func (l *lab) output(s Spec) string {
	l.t.Helper()
	end, _ := l.run(l.create(s))
	return strings.Join(end.Output, "\n")
}

// write is an archive with one file.
func write(name, content string) func(*tar.Writer) error {
	return func(w *tar.Writer) error {
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Uid: 1234, Gid: 5678, Size: int64(len(content)), ModTime: time.Unix(1e9, 0)})
		if err == nil {
			_, err = io.WriteString(w, content)
		}
		return err
	}
}
