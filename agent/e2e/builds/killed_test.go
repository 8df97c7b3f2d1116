package builds

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"dokku/build/buildtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	buildtest.RemoveLifecycle()
	os.Exit(code)
}

// TestKilledHerokuish strikes at the calls of a herokuish build.
func TestKilledHerokuish(t *testing.T) {
	cli := buildtest.Engine(t)
	b := newBench(t, cli, "", map[string]string{"stack": buildtest.Herokuish(t, cli, nil)})
	b.caches = []string{"cache-" + b.app}
	const main = "mkdir -p /tmp/www && cp version /tmp/www/index.html && exec httpd -f -p $PORT -h /tmp/www\n"
	m := &matrix{bench: b,
		files: func(n int) buildtest.Files {
			return buildtest.Files{"main.sh": main, "package.json": "{}", "version": fmt.Sprint(n)}
		},
		answer: func(n int) string { return fmt.Sprint(n) },
		cached: regexp.MustCompile(`cache: ([2-9]|\d\d)`),
		rejected: map[string]buildtest.Files{
			"no buildpack of ": {"package.json": "{}"},
			"the buildpack for Shell ended with exit code 3": {"package.json": "{}", "main.sh": main, "broken": "1"},
		}}
	m.run()
}

// serverPack is a buildpack whose app serves the file version and words from two layers, of
// which the next build takes over one from the cache and one from the last image.
var serverPack = buildtest.Buildpack{ID: "test/server", Version: "1.0.0",
	Detect: `[ -f version ] || { echo "there is no version"; exit 100; }`,
	Build: `
[ ! -f broken ] || exit 9
if [ -f "$layers/tools.toml" ]; then
  [ "$(cat "$layers/tools/word")" = word ] || { echo "the cache is corrupt"; exit 10; }
  echo "taking over tools"
fi
mkdir -p "$layers/tools"
echo word > "$layers/tools/word"
printf '[types]\nlaunch = true\nbuild = true\ncache = true\n' > "$layers/tools.toml"
if [ -f "$layers/kept.toml" ]; then
  echo "taking over kept"
else
  mkdir "$layers/kept"
  echo kept > "$layers/kept/word"
fi
printf '[types]\nlaunch = true\n' > "$layers/kept.toml"
if [ -f unreadable ]; then
  mkdir -p "$layers/lost/folder"
  chmod 0 "$layers/lost/folder"
  printf '[types]\nlaunch = true\n' > "$layers/lost.toml"
fi
cat > "$layers/launch.toml" <<'T'
[[processes]]
type = "web"
command = ["sh", "-c"]
args = ["mkdir -p /tmp/www && cat version /layers/test_server/kept/word /layers/test_server/tools/word > /tmp/www/index.html && exec httpd -f -p $PORT -h /tmp/www"]
default = true
T
`}

// TestKilledPack strikes at the calls of a build with buildpacks.
func TestKilledPack(t *testing.T) {
	cli := buildtest.Engine(t)
	builder, _ := buildtest.BuilderImages(t, cli, []buildtest.Buildpack{serverPack}, nil)
	b := newBench(t, cli, buildtest.Lifecycle(t), map[string]string{"image": builder, "selected": "pack"})
	b.caches = []string{b.app + ".build.pack-cache", b.app + ".build.pack-launch-1", b.app + ".build.pack-launch-2"}
	m := &matrix{bench: b,
		files:  func(n int) buildtest.Files { return buildtest.Files{"version": fmt.Sprintln(n)} },
		answer: func(n int) string { return fmt.Sprintf("%d\nkept\nword", n) },
		cached: regexp.MustCompile(`taking over tools\n(.*\n)*.*taking over kept\n`),
		rejected: map[string]buildtest.Files{
			"there is no version": {"other": "1"},
			"the buildpack test/server@1.0.0 ended with exit code 9": {"version": "x", "broken": "1"},
			"the lifecycle refuses it: ":                             {"version": "x", "unreadable": "1"},
		}}
	m.run()
}
