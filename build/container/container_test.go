package container

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"

	"dokku/build"
	"dokku/build/buildtest"
)

// TestRun: a step's output comes line by line below its name, and its end has the exit
// code and the last lines.
func TestRun(t *testing.T) {
	l := newLab(t)
	end, lines := l.run(l.create(l.spec("echo one; printf 'a\\rb\\n'; echo two >&2; exit 3")))
	var texts []string
	for _, line := range lines[:len(lines)-1] {
		texts = append(texts, string(line.Kind)+" "+line.Text)
	}
	// Two streams have no order.
	for _, want := range []string{"output   | one", "output   | b", "output   | two"} {
		if !slices.Contains(texts, want) {
			t.Errorf("%q lacks %q", texts, want)
		}
	}
	last := lines[len(lines)-1]
	if texts[0] != "step test step" || last.Kind != build.KindStep || !strings.HasPrefix(last.Text, "test step    ") || !strings.Contains(last.Text, " failed 0.") {
		t.Errorf("first line %q, last line %q", texts[0], last.Text)
	}
	if end.ExitCode != 3 || end.OOM || len(end.Output) != 3 {
		t.Errorf("end %+v", end)
	}
	want := "cannot build 1234567: test step ended with exit code 3; correct the command or the files that it uses and push again"
	if err := end.Failure("1234567", "test step"); err.Error() != want {
		t.Errorf("error %q", err)
	}
}

// TestConfinement: the process has no capability but those that are named, gains none, and
// has its limits.
func TestConfinement(t *testing.T) {
	l := newLab(t)
	s := l.spec("grep -E '^(CapBnd|NoNewPrivs)' /proc/self/status; chown 5 /tmp 2>&1 && id -u")
	if got, want := l.output(s), "CapBnd:\t0000000000000000\nNoNewPrivs:\t1\nchown: /tmp: Operation not permitted"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s.Capabilities = []string{"CHOWN"}
	if got, want := l.output(s), "CapBnd:\t0000000000000001\nNoNewPrivs:\t1\n0"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s = l.spec("id -u; pwd; echo $A; ls /run/docker.sock /var/run/docker.sock 2>&1 | grep -c 'No such'; ls /sys/class/net")
	s.User, s.Dir, s.Env, s.Network = "42", "/tmp", []string{"A=b"}, "none"
	if got, want := l.output(s), "42\n/tmp\nb\n2\nlo"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	s = l.spec("for i in 1 2 3 4 5 6 7 8 9; do sleep 60 & done; echo all")
	s.Limits.Pids = 5
	if got := l.output(s); strings.Contains(got, "all") || !strings.Contains(got, "fork") {
		t.Errorf("nine processes of five: %q", got)
	}
	s = l.spec("tail /dev/zero")
	s.Limits.Memory = 16 << 20
	end, _ := l.run(l.create(s))
	want := "cannot build 1234567: test step was killed (exit code 137), most likely because memory ran out; let the step need less memory, or give the host more"
	if err := end.Failure("1234567", "test step"); end.ExitCode != 137 || err.Error() != want {
		t.Errorf("%+v: %v", end, err)
	}
}

// TestFiles: files go in before the start and come out after the end, and containers share
// scratch folders, which go with the last of them.
func TestFiles(t *testing.T) {
	l := newLab(t)
	s := l.spec("stat -c '%u:%g %a %n' /work/in && cat /work/in && echo out > /work/out")
	s.Scratch = []string{"/work"}
	first := l.create(s)
	if err := first.CopyIn(t.Context(), "/work", write("in", "content\n")); err != nil {
		t.Fatal(err)
	}
	if end, _ := l.run(first); strings.Join(end.Output, "\n") != "1234:5678 644 /work/in\ncontent" {
		t.Errorf("%+v", end)
	}
	s = l.spec("cat /work/out /work/in")
	s.Name, s.From = s.Name+"2", []*Container{first}
	second := l.create(s)
	volumes := l.mounted(first)
	if end, _ := l.run(second); strings.Join(end.Output, "\n") != "out\ncontent" {
		t.Errorf("%+v", end)
	}
	var got string
	err := second.CopyOut(t.Context(), "/work/out", func(r *tar.Reader) error {
		h, err := r.Next()
		if err == nil {
			got = h.Name
		}
		return err
	})
	if err != nil || got != "out" {
		t.Errorf("%q, %v", got, err)
	}
	if err := second.CopyOut(t.Context(), "/none", nil); !errors.Is(err, fs.ErrNotExist) ||
		err.Error() != "cannot copy /none from the container "+s.Name+": file does not exist" {
		t.Errorf("%v", err)
	}
	broken := errors.New("the file is broken")
	if err := second.CopyIn(t.Context(), "/tmp", func(*tar.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := second.Remove(); err != nil {
		t.Fatal(err)
	}
	if got := l.output(s); got != "out\ncontent" {
		t.Errorf("after the second container is gone: %q", got)
	}
	for _, id := range l.Containers() {
		if id != first.ID() {
			l.cli.ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		}
	}
	if err := first.Remove(); err != nil {
		t.Fatal(err)
	}
	for _, name := range volumes {
		if _, err := l.cli.VolumeInspect(t.Context(), name); err == nil {
			t.Errorf("the scratch volume %s is left", name)
		}
	}
}

// mounted are the names of the volumes of a container.
func (l *lab) mounted(c *Container) (names []string) {
	l.t.Helper()
	r, err := l.cli.ContainerInspect(l.t.Context(), c.ID())
	if err != nil {
		l.t.Fatal(err)
	}
	for _, m := range r.Mounts {
		names = append(names, m.Name)
	}
	if len(names) == 0 {
		l.t.Fatal("the container has no volume")
	}
	return names
}

// TestCommit: an image has the files and the configuration that was asked for, and nothing
// of the container: no label, no variable, no scratch folder.
func TestCommit(t *testing.T) {
	l := newLab(t)
	s := l.spec("mkdir /app; echo built > /app/file; echo secret > /work/file")
	s.Scratch = []string{"/work"}
	c := l.create(s)
	if end, _ := l.run(c); end.ExitCode != 0 {
		t.Fatalf("%+v", end)
	}
	id, err := c.Commit(t.Context(), Image{User: "7", Dir: "/app", Env: []string{"PATH=/bin:/app", "A=b"}, Labels: map[string]string{buildtest.LabelApp: l.app}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.cli.ImageRemove(context.Background(), id, image.RemoveOptions{Force: true}) })
	r, err := l.cli.ImageInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintln(r.Config.User, r.Config.WorkingDir, r.Config.Env, r.Config.Cmd, r.Config.Entrypoint, r.Config.Labels, len(r.Config.Volumes))
	want := "7 /app [PATH=/bin:/app A=b] [base] [] map[base:yes " + buildtest.LabelApp + ":" + l.app + " " + labelKind + ":] 0\n"
	if got != want {
		t.Errorf("image\n%s, want\n%s", got, want)
	}
	s = l.spec("cat /app/file; ls /work")
	s.Name, s.Image = s.Name+"2", id
	if got := l.output(s); got != "built" {
		t.Errorf("in the image: %q", got)
	}
	if _, err := l.create(s).Commit(t.Context(), Image{Entrypoint: []string{}, Command: []string{}}); err == nil || !strings.Contains(err.Error(), "the image would keep the command of the build") {
		t.Errorf("%v", err)
	}
	s.Name, s.Env = s.Name+"3", []string{"TOKEN=secret"}
	if _, err := l.create(s).Commit(t.Context(), Image{}); err == nil || !strings.Contains(err.Error(), "the image would keep the variable TOKEN of the build") {
		t.Errorf("%v", err)
	}
}

// TestCancel: a cancelled step ends at once with the cause, and its container is dead.
func TestCancel(t *testing.T) {
	l := newLab(t)
	c := l.create(l.spec("echo begun; sleep 1000"))
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client went away")
	begun := time.Now()
	_, err := c.Run(ctx, "test step", func(line build.Line) {
		if strings.HasSuffix(line.Text, "begun") {
			cancel(gone)
		}
	})
	if !errors.Is(err, gone) || time.Since(begun) > time.Minute {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
	r, err := l.cli.ContainerInspect(t.Context(), c.ID())
	if err != nil || r.State.Running {
		t.Errorf("%+v, %v", r.State, err)
	}
	if _, err := l.engine.Create(ctx, l.spec("true")); !errors.Is(err, gone) {
		t.Errorf("create: %v", err)
	}
	if n := len(l.Containers()); n != 1 {
		t.Errorf("%d containers", n)
	}
}

// TestLeft: what a killed build has left gives way to the next one of the app, and nothing
// else does.
func TestLeft(t *testing.T) {
	l := newLab(t)
	left := l.create(l.spec("sleep 1000"))
	next := l.create(l.spec("true"))
	if ids := l.Containers(); !slices.Equal(ids, []string{next.ID()}) || left.ID() == next.ID() {
		t.Errorf("containers %q", ids)
	}
	other := l.spec("true")
	other.Labels = map[string]string{buildtest.LabelApp: l.app + "-other"}
	_, err := l.engine.Create(t.Context(), other)
	want := "cannot make the container " + other.Name + ": another container has this name; rename or remove it: docker rm -f " + other.Name
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// TestCache: a cache outlives its container, and belongs to one app.
func TestCache(t *testing.T) {
	l := newLab(t)
	s := l.spec("echo x >> /cache/n; wc -l < /cache/n")
	s.Caches = []Cache{{Name: "cache-" + l.app, Target: "/cache", Labels: map[string]string{"com.dokku.builder-type": "test"}}}
	for _, want := range []string{"1", "2", "3"} {
		c := l.create(s)
		if end, _ := l.run(c); len(end.Output) != 1 || end.Output[0] != want {
			t.Errorf("%q, want %q", end.Output, want)
		}
		if err := c.Remove(); err != nil {
			t.Fatal(err)
		}
	}
	foreign := s
	foreign.Labels = map[string]string{buildtest.LabelApp: l.app + "-other"}
	c := l.create(foreign)
	if end, _ := l.run(c); strings.Join(end.Output, "") != "1" {
		t.Errorf("another app reads the cache: %q", end.Output)
	}
	if err := c.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := l.cli.VolumeRemove(t.Context(), "cache-"+l.app, false); err != nil {
		t.Error(err)
	}

	// Somebody's data that happens to have the name.
	if _, err := l.cli.VolumeCreate(t.Context(), volume.CreateOptions{Name: "cache-" + l.app}); err != nil {
		t.Fatal(err)
	}
	_, err := l.engine.Create(t.Context(), s)
	if want := "the volume cache-" + l.app + ", which the build would use as its cache, is none: "; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if err := l.cli.VolumeRemove(t.Context(), "cache-"+l.app, false); err != nil {
		t.Errorf("the data: %v", err)
	}
}

// TestImage: an image that is here is not pulled, and one that cannot be says how to get
// it.
func TestImage(t *testing.T) {
	l := newLab(t)
	if id, err := l.engine.Image(t.Context(), l.image, nil, nil); err != nil || id != l.image {
		t.Errorf("%q, %v", id, err)
	}
	const name = "127.0.0.1:1/none:1"
	_, err := l.engine.Image(t.Context(), name, nil, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "cannot pull image "+name+": ") ||
		!strings.HasSuffix(err.Error(), "; or bring the image to this server: docker save "+name+" | ssh SERVER docker load") {
		t.Errorf("%v", err)
	}
	if _, err := l.engine.Image(t.Context(), "Not A Name", nil, nil); err == nil || !strings.Contains(err.Error(), "Not A Name") {
		t.Errorf("%v", err)
	}
}
