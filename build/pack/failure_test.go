package pack

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"dokku/build"
	"dokku/build/buildtest"
)

// TestFailures: a build that fails names the buildpack, shows its output, and says what
// helps. Nothing is left, and the caches of before stay.
func TestFailures(t *testing.T) {
	l := newLab(t, buildtest.Buildpack{ID: "test/first", Version: "1.0.0",
		Detect: `[ -f first.txt ] || { echo "there is no first.txt"; exit 100; }
[ "$(cat first.txt)" != crash ] || { echo "first.txt makes it crash"; exit 3; }
[ "$(cat first.txt)" != slow-detect ] || sleep 1000`,
		Build: `
case "$(cat first.txt)" in
fail) echo "first.txt says so"; exit 7 ;;
slow) echo begun; sleep 1000 ;;
memory) x=1234567890; while :; do x="$x$x"; done ;;
quiet) exit 0 ;;
esac
printf '[[processes]]\ntype = "web"\ncommand = ["cat"]\nargs = ["first.txt"]\ndefault = true\n[[processes]]\ntype = "a.b"\ncommand = ["true"]\n' > "$layers/launch.toml"
`}, buildtest.Buildpack{ID: "test/second", Version: "2.0.0", Detect: `echo "not my kind"; exit 100`, Build: "exit 1"})
	_, out := l.built(buildtest.Files{"first.txt": "fine"})
	if !strings.Contains(out, "  | the process type a.b is left out: a type has letters, digits, - and _\n") {
		t.Error(out)
	}
	before := l.Volumes()
	for content, want := range map[string]struct{ message, output string }{
		"": {": step [2/5] detect: no buildpack of " + l.builder + " fits the files of this revision: test/first@1.0.0 (there is no first.txt), test/second@2.0.0 (not my kind); " +
			"add the file that the buildpack of your language looks for, or name a buildpack: dokku buildpacks:add " + l.app + " ID",
			"output:   | test/first@1.0.0: there is no first.txt\noutput:   | test/second@2.0.0: not my kind\nstep: [2/5] detect "},
		"crash": {": step [2/5] detect: the buildpack test/first@1.0.0 (first.txt makes it crash) failed to find out whether it fits; correct what it says, or name other buildpacks: dokku buildpacks:add " + l.app + " ID",
			"output:   | test/first@1.0.0: first.txt makes it crash\n"},
		"fail": {": the buildpack test/first@1.0.0 ended with exit code 7; correct the command or the files that it uses and push again",
			"output:   | test/first@1.0.0\noutput:   | first.txt says so\nstep: [4/5] build "},
		"quiet": {": step [5/5] export: the buildpacks name no process that the app runs; add a Procfile with the line web: COMMAND", "output:   | test/first@1.0.0\n"},
	} {
		files := buildtest.Files{"first.txt": content}
		if content == "" {
			files = buildtest.Files{"other.txt": "x"}
		}
		_, out, err := l.build(files)
		var failed *build.Error
		if !errors.As(err, &failed) || !strings.HasSuffix(err.Error(), want.message) || !strings.Contains(out, want.output) {
			t.Errorf("%q: %v\nwant %s\n%s", content, err, want.message, out)
		}
		if strings.Contains(out, "Timer") || strings.Contains(out, "ERROR") {
			t.Errorf("%q prints the lifecycle's own messages:\n%s", content, out)
		}
	}
	if after := l.Volumes(); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("the caches were %s and are %s", before, after)
	}
	l.canceled(buildtest.Files{"first.txt": "slow-detect"}, "[2/5] detect")
	l.canceled(buildtest.Files{"first.txt": "slow"}, "  | begun")
	if after := l.Volumes(); strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("after a cancel the caches were %s and are %s", before, after)
	}
	l.limits.Memory = 64 << 20
	if _, out, err := l.build(buildtest.Files{"first.txt": "memory"}); err == nil || !strings.Contains(err.Error(), "was killed (exit code 137), most likely because memory ran out") {
		t.Errorf("%v\n%s", err, out)
	}
}

// canceled builds and cancels at a line. The build has to end with the cause, and to leave
// no container.
func (l *lab) canceled(files buildtest.Files, line string) {
	l.t.Helper()
	ctx, cancel := context.WithCancelCause(l.t.Context())
	gone := errors.New("the client went away")
	l.ctx, l.seen = ctx, func(s build.Line) {
		if strings.HasPrefix(s.Text, line) {
			cancel(gone)
		}
	}
	defer func() { l.ctx, l.seen = nil, nil }()
	begun := time.Now()
	if _, out, err := l.build(files); !errors.Is(err, gone) || time.Since(begun) > time.Minute {
		l.t.Errorf("canceled at %q: %v after %s\n%s", line, err, time.Since(begun), out)
	}
	if left := l.Containers(); len(left) > 0 {
		l.t.Errorf("canceled at %q, the containers %s are left", line, left)
	}
}

// TestOrderOfSetting: buildpacks:add chooses among the buildpacks of the builder image.
func TestOrderOfSetting(t *testing.T) {
	named := func(id string) buildtest.Buildpack {
		return buildtest.Buildpack{ID: id, Version: "1.0.0", Detect: "exit 0",
			Build: `printf '[[processes]]\ntype = "web"\ncommand = ["echo", "` + id + `"]\n' > "$layers/launch.toml"`}
	}
	l := newLab(t, named("test/one"), named("test/two"))
	l.packs = []string{"https://github.com/test/heroku-buildpack-two.git"}
	result, out := l.built(buildtest.Files{"x": "y"})
	if got := l.output(result.ImageID, []string{"/cnb/process/web"}); got != "test/two\n" {
		t.Errorf("web prints %q\n%s", got, out)
	}
	l.packs = []string{"test/three@1"}
	if _, _, err := l.build(buildtest.Files{"x": "y"}); err == nil || !strings.Contains(err.Error(), "buildpacks:list names the buildpack test/three@1, which the builder image ") {
		t.Error(err)
	}
}
