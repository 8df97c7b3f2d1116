package buildkit

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/build"
	"dokku/build/buildtest"
	"dokku/build/source"
)

func TestImageContent(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	before := time.Now().Add(-time.Second)
	rev := a.repo.Commit("", files{
		"Dockerfile": "FROM scratch\nARG WHO\nLABEL who=$WHO\nCOPY . /app/\n",
		"unique":     a.name, // or the engine takes the layer of an earlier run
		"plain":      "p", "100755 run": "r", "120000 link": "plain", "120000 broken": "/etc/x", "d/é 1": "x", "a.b": "1", "a/x": "2",
	})
	res := a.build(rev, func(r *build.Request) {
		r.BuildArgs = map[string]string{"WHO": "me"}
	})
	found, times := a.inside(res.ImageID, "/app")
	delete(found, "Dockerfile")
	delete(found, "unique")
	if want := map[string]string{"plain": "644 p", "run": "755 r", "link": "-> plain", "broken": "-> /etc/x",
		"d/é 1": "644 x", "a.b": "644 1", "a/x": "644 2"}; !maps.Equal(found, want) {
		t.Errorf("image has %q", found)
	}
	if m := times["plain"]; m.Before(before) || m.After(time.Now()) {
		t.Errorf("modification time is %v", m)
	}
	info, err := a.cli.ImageInspect(context.Background(), res.ImageID)
	if err != nil || info.ID != res.ImageID || info.Config.Labels[labelApp] != a.name || info.Config.Labels["who"] != "me" {
		t.Errorf("the image is %+v, %v", info.Config, err)
	}
	// The content that is there already makes the same image again.
	if again := a.build(a.repo.Commit(rev, files{"plain": "p"}), func(r *build.Request) { r.BuildArgs = map[string]string{"WHO": "me"} }); again.ImageID != res.ImageID || again.FilesChanged != 0 || again.BytesSent != 0 {
		t.Errorf("again: %+v, want the id %s", again, res.ImageID)
	}
}

// <Dockerfile>.dockerignore wins over .dockerignore, and ! brings back.
func TestDockerignore(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	rev := a.repo.Commit("", files{
		"Dockerfile": "FROM scratch\nCOPY . /app/\n", "other.docker": "FROM scratch\nCOPY . /app/\n",
		".dockerignore":             "# comment\n*.log\nnode_modules\n!keep.log\nsecret/**\n!secret/public\n*ocker*\n",
		"other.docker.dockerignore": "plain\n*ocker*\n**/x\n",
		"a.log":                     "1", "keep.log": "1", "d/b.log": "1", "node_modules/m/x": "1", "secret/key": "1", "secret/public/k": "1", "plain": "1",
	})
	for dockerfile, want := range map[string]string{
		"":             "d/b.log keep.log plain secret/public/k",
		"other.docker": "a.log d/b.log keep.log secret/key secret/public/k",
	} {
		res := a.build(rev, func(r *build.Request) { r.Dockerfile = dockerfile })
		found, _ := a.inside(res.ImageID, "/app")
		if got := strings.Join(slices.Sorted(maps.Keys(found)), " "); got != want {
			t.Errorf("%q: image has %q, want %q", dockerfile, got, want)
		}
	}
}

// TestImageLinks: the Dockerfile may be a link, through folders that are links too. Its
// own .dockerignore is the one beside the link.
func TestImageLinks(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	rev := a.repo.Commit("", files{
		"deploy/v2/Dockerfile": "FROM scratch\nCOPY x y* /app/\nLABEL unique=" + a.name + "\n", "120000 docker": "deploy", "120000 deploy/now": "v2",
		"120000 build": "docker/now/Dockerfile", "120000 Dockerfile": "build", "x": "1", "y1": "1", "y2": "2",
		"Dockerfile.dockerignore": "y2\n", "deploy/v2/Dockerfile.dockerignore": "y1\n", ".dockerignore": "x\n",
	})
	found, _ := a.inside(a.build(rev).ImageID, "/app")
	if want := map[string]string{"x": "644 1", "y1": "644 1"}; !maps.Equal(found, want) {
		t.Errorf("image has %q", found)
	}
}

// TestImageIncremental: only changed files are sent, and changed files always are, even with
// the same size and within one second.
func TestImageIncremental(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	f := buildtest.ManyFiles(400, 1000)
	one := a.repo.Commit("", f)
	first := a.build(one)
	if first.FilesChanged != 401 || first.BytesSent < 400_000 {
		t.Errorf("first: %s", first)
	}
	_, before := a.inside(first.ImageID, "/app")
	two := a.repo.Commit(one, files{"d00/s0/f00000": strings.Repeat("n", 1000), "d01/s1/f00001": strings.Repeat("m", 500), "d02/s0/f00002": ""})
	res := a.build(two, func(r *build.Request) { r.Old = one })
	if res.FilesChanged != 3 || res.BytesSent < 1500 || res.BytesSent > 2000 {
		t.Errorf("second: %s", res)
	}
	found, after := a.inside(res.ImageID, "/app")
	if found["d00/s0/f00000"] != "644 "+strings.Repeat("n", 60) || found["d02/s0/f00002"] != "" || len(found) != 400 {
		t.Errorf("second image has %d files, %q", len(found), found["d00/s0/f00000"])
	}
	for path, m := range after {
		if changed := path == "d00/s0/f00000" || path == "d01/s1/f00001"; found[path] != "" && changed == m.Equal(before[path]) {
			t.Errorf("%s: modification time was %v, is %v", path, before[path], m)
		}
	}
	three := a.repo.Commit(two, files{"d00/s0/f00000": strings.Repeat("o", 1000)})
	if found, _ := a.inside(a.build(three).ImageID, "/app"); found["d00/s0/f00000"] != "644 "+strings.Repeat("o", 60) {
		t.Errorf("third image has %q", found["d00/s0/f00000"])
	}
	// Losing the manifest costs time, never a change.
	if err := os.WriteFile(a.manifest, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	four := a.repo.Commit(three, files{"d00/s0/f00000": strings.Repeat("p", 1000)})
	if found, _ := a.inside(a.build(four).ImageID, "/app"); found["d00/s0/f00000"] != "644 "+strings.Repeat("p", 60) {
		t.Errorf("fourth image has %q", found["d00/s0/f00000"])
	}
}

func TestImageProgress(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	var lines []string
	a.build(a.shell("echo hello; echo world >&2", "true"), func(r *build.Request) {
		r.Header = func(h build.Header) { lines = append(lines, "header") }
		r.Progress = func(l build.Line) {
			if l.Kind == build.KindAlive {
				return // of a slow machine
			}
			text := strings.TrimRight(l.Text[:min(len(l.Text), 45)], " ")
			if text == "" {
				text = l.Step // the end of a step whose own lines were the last ones
			}
			if len(lines) > 0 && lines[len(lines)-1] == text {
				return // its begin was a line, too: the step took longer
			}
			lines = append(lines, text)
		}
	})
	text := strings.Join(lines, "\n")
	want := "header\n[1/3] COPY bin /bin/\n[2/3] RUN echo hello; echo world >&2\n"
	if !strings.HasPrefix(text, want) || !strings.Contains(text, "\n  | hello") || !strings.Contains(text, "\n  | world") ||
		!strings.HasSuffix(text, "\n[2/3] RUN echo hello; echo world >&2\n[3/3] RUN true") {
		t.Errorf("printed %q", lines)
	}
}

// TestImageSent: the header has the number of bytes that were sent, or none.
func TestImageSent(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	var printed string
	header := func(r *build.Request) { r.Header = func(h build.Header) { printed = h.String() } }
	large := buildtest.ManyFiles(80, 100_000)
	rev := a.repo.Commit("", large)
	res := a.build(rev, header)
	files := rev[:7] + ", 81 files changed"
	if res.Header.String() != files+", 8.0 MB sent" {
		t.Errorf("at the end: %q", res.Header)
	}
	// On a slow machine the header comes before the files.
	if !slices.Contains([]string{files + ", 8.0 MB sent", files + ", sending 8.0 MB", files}, printed) {
		t.Errorf("printed %q", printed)
	}
	large["Dockerfile"] = "FROM scratch\nLABEL unique=" + a.name + "\n"
	rev = a.repo.Commit("", large)
	res = a.build(rev, header)
	if want := rev[:7] + ", 1 file changed"; printed != want || res.Header.String() != want {
		t.Errorf("without COPY: printed %q, %q at the end, want %q", printed, res.Header, want)
	}
}

func TestImageFails(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	err := a.failing(a.shell("true", "for i in 1 2 3; do echo line $i; done; exit 3"))
	var e *build.Error
	if !errors.As(err, &e) || e.ExitCode != 3 || !strings.HasPrefix(e.Step, "[3/3] RUN for i in") ||
		!slices.Equal(e.Output, []string{"line 1", "line 2", "line 3"}) {
		t.Fatalf("error is %#v", err)
	}
	for dockerfile, want := range map[string]string{
		"FROM scratch\nCOPY none /\n":                                     "step [1/1] COPY: none is not in the repository; is it committed? (.gitignore may leave it out: git add -f none; .dockerignore does not)",
		"FROM scratch\nCOPY d/none x /\n":                                 "step [1/1] COPY: d/none is not in the repository; is it committed?",
		"FROM scratch\nADD none /\n":                                      "step [1/1] ADD: none is not in the repository; is it committed?",
		"FROM scratch\nCOPY X /\n":                                        "step [1/1] COPY: X is not in the repository, but x is; correct the name and push again",
		"FROM scratch\nCOPY left /\n":                                     "step [1/1] COPY: left is committed, but .dockerignore leaves it out; add the line !left at its end and push again",
		"FROM scratch AS a\nCOPY x /\nFROM scratch\nCOPY --from=a /y /\n": "step [stage-1 1/1] COPY: a has no /y; correct the path, or make the file there",
		"FROM scratch\nNONSENSE x\n":                                      "unknown instruction: NONSENSE",
		// The engine may end its answer before it has told of the step.
		"FROM scratch\nRUN [\"/x\"]\n": "ended with exit code 1; correct the command",
	} {
		err := a.failing(a.repo.Commit("", files{"x": "1", "left": "1", ".dockerignore": "left\n", "Dockerfile": dockerfile}))
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "rpc error") || strings.Contains(err.Error(), "frontend") {
			t.Errorf("%q: %v, want %q", dockerfile, err, want)
		}
		if !errors.As(err, &e) || strings.Contains(dockerfile, "RUN") && !strings.Contains(e.Step, "/x") {
			t.Errorf("%q: a %T", dockerfile, err)
		}
	}
	// The times of a rejected push are known to the engine too.
	if m, err := readManifest(a.manifest); err != nil || len(m) != 4 {
		t.Errorf("manifest of a failed build: %v, %v", m, err)
	}
}

// TestPushImage pushes through git and builds from the quarantine.
func TestPushImage(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	to := newRepo(t)
	to.Hook()
	for _, n := range []int{1, 5000} {
		a.repo.Commit("", buildtest.ManyFiles(n, 300))
		p := a.repo.push(to, a.name, a.manifest)
		found, _ := a.inside(p.Result.ImageID, "/app")
		p.Lines = slices.DeleteFunc(p.Lines, func(l build.Line) bool { return l.Kind == build.KindAlive }) // of a slow machine
		p.Lines = slices.CompactFunc(p.Lines, func(a, b build.Line) bool { return a.Step == b.Step })
		if p.Failed != "" || len(found) != n+1 || len(p.Headers) != 1 || len(p.Lines) != 1 {
			t.Errorf("%d files: %d in the image, printed %q, %v %s", n, len(found), p.Headers, p.Lines, p.Failed)
		}
	}
}

// TestPushMemory: a hook's memory does not grow with the push. BenchmarkLarge measures it with
// 200 MB in 20,000 files.
func TestPushMemory(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	to := newRepo(t)
	to.Hook()
	a.repo.Commit("", buildtest.ManyFiles(2000, 10_000))
	p := a.repo.push(to, a.name, filepath.Join(t.TempDir(), "manifest"))
	limit := int64(100 << 20)
	if raceEnabled {
		limit *= 5 // the detector's shadow memory
	}
	t.Logf("peak %s", source.Bytes(p.RSS))
	if p.Failed != "" || p.RSS > limit {
		t.Errorf("peak is %s, more than %s %s", source.Bytes(p.RSS), source.Bytes(limit), p.Failed)
	}
}
