package e2e

import (
	"strings"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/build/buildtest"
)

// languagePacks are buildpacks for three languages, with Debian's own packages.
var languagePacks = []buildtest.Buildpack{
	{ID: "test/go", Version: "1.0.0", Detect: `[ -f go.mod ] || { echo "there is no go.mod"; exit 100; }`, Build: `
mkdir -p "$layers/gocache" "$layers/app/bin"
[ ! -d "$layers/gocache/00" ] || echo "using the Go cache"
GOCACHE="$layers/gocache" GOPATH=/tmp/go GOFLAGS=-buildvcs=false CGO_ENABLED=0 go build -o "$layers/app/bin/app" . || exit 4
printf '[types]\ncache = true\n' > "$layers/gocache.toml"
printf '[types]\nlaunch = true\n' > "$layers/app.toml"
printf '[[processes]]\ntype = "web"\ncommand = ["app"]\ndefault = true\n' > "$layers/launch.toml"
`},
	{ID: "test/python", Version: "1.0.0", Detect: `[ -f requirements.txt ] || { echo "there is no requirements.txt"; exit 100; }`, Build: `
sum=$(sha256sum requirements.txt | cut -c 1-12)
if grep -q "$sum" "$layers/packages.toml" 2>/dev/null; then
  echo "using the packages of $sum"
else
  rm -rf "$layers/packages"
  mkdir -p "$layers/packages/env.launch"
  for name in $(cat requirements.txt); do cp -r "vendor/$name" "$layers/packages/"; done
  printf %s "$layers/packages" > "$layers/packages/env.launch/PYTHONPATH.override"
fi
printf '[types]\nlaunch = true\ncache = true\n[metadata]\nsum = "%s"\n' "$sum" > "$layers/packages.toml"
printf '[[processes]]\ntype = "web"\ncommand = ["python3", "app.py"]\ndefault = true\n' > "$layers/launch.toml"
`},
	{ID: "test/node", Version: "1.0.0", Detect: `[ -f package.json ] || { echo "there is no package.json"; exit 100; }`, Build: `
node -e 'const p = require("./package.json"); console.log("building", p.name)'
start=$(node -p 'require("./package.json").scripts.start')
printf '[[processes]]\ntype = "web"\ncommand = ["bash", "-c", "exec %s"]\ndefault = true\n' "$start" > "$layers/launch.toml"
`},
}

// languageApps answer with their revision and process, as every app of these tests does.
var languageApps = map[string]lab.Files{
	"go": {"go.mod": "module app\n\ngo 1.19\n", "main.go": `package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, os.Getenv("GIT_REV"), os.Getenv("DYNO")) })
	panic(http.ListenAndServe(":"+os.Getenv("PORT"), nil))
}
`},
	"python": {"requirements.txt": "greeting\n", "vendor/greeting/__init__.py": "import os\ndef text(): return os.environ['GIT_REV'] + ' ' + os.environ['DYNO'] + '\\n'\n",
		"app.py": `import os, http.server, greeting
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(greeting.text().encode())
http.server.HTTPServer(("", int(os.environ["PORT"])), Handler).serve_forever()
`},
	"node": {"package.json": `{"name": "hello", "scripts": {"start": "node server.js"}}`,
		"server.js": "require('http').createServer((q, r) => r.end(process.env.GIT_REV + ' ' + process.env.DYNO + '\\n')).listen(process.env.PORT)\n"},
}

// TestPackLanguages pushes apps of three languages without a Dockerfile. A second push
// uses what the first one left in the cache, and Go compiles faster.
func TestPackLanguages(t *testing.T) {
	t.Parallel()
	tools, err := lab.Shared()
	lab.Must(t, err)
	builder, _ := buildtest.DebianBuilder(t, tools.Docker, languagePacks, "python3", "nodejs", "golang-go", "bash")
	l := lab.New(t, map[string]any{"lifecycle": buildtest.Lifecycle(t), "build": map[string]string{"image": builder, "selected": "pack"}})
	for language, cached := range map[string]string{"go": "using the Go cache", "python": "using the packages of ", "node": "building hello"} {
		a := l.App(lab.Files{"Dockerfile": ""})
		first := a.Push(languageApps[language])
		lab.Contains(t, first, "Building "+a.Name+" with pack, selected by builder:set (", "  | test/"+language+" 1.0.0")
		a.Serves(a.Tip("main"))
		second := a.Push(lab.Files{"note.txt": "changed"})
		lab.Contains(t, second, cached)
		a.Serves(a.Tip("main"))
		if before, after := buildSeconds(t, first), buildSeconds(t, second); language == "go" && after >= before {
			t.Errorf("go: the first build took %gs, the second %gs", before, after)
		}
		if language != "node" && strings.Contains(first, cached) {
			t.Errorf("%s: the first build uses a cache:\n%s", language, first)
		}
	}
}
