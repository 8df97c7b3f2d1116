package buildtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/client"
)

// lifecycleDir is the folder that lifecycle has made; "": none yet.
var lifecycleDir string

var lifecycle = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "dokku-lifecycle-")
	if err != nil {
		return "", err
	}
	lifecycleDir = dir
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X github.com/buildpacks/lifecycle/cmd.Version=0.20.11", "-o", dir+"/", "tool")
	cmd.Dir = filepath.Join(strings.TrimSpace(string(module)), "build", "pack", "lifecycle")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the lifecycle: %w\n%s", err, out)
	}
	return dir, nil
})

// Lifecycle builds the lifecycle of Cloud Native Buildpacks as install.sh does, once for
// a test binary, and returns the folder of its programs.
func Lifecycle(t testing.TB) string {
	t.Helper()
	dir, err := lifecycle()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// RemoveLifecycle removes what Lifecycle has built, after all tests.
func RemoveLifecycle() {
	if lifecycleDir != "" {
		os.RemoveAll(lifecycleDir)
	}
}

// Buildpack is a buildpack of the tests: two scripts for bash.
type Buildpack struct {
	ID, Version   string
	Detect, Build string
}

// The user that the builder image of the tests runs as.
const builderUser = "1000:1000"

// BuilderImages makes a builder image that has the buildpacks, in an order of one group
// each, and its run image. more are further files of both, and instructions further lines
// of the builder image's Dockerfile. They are removed with the test.
func BuilderImages(t testing.TB, cli *client.Client, packs []Buildpack, more Files, instructions ...string) (image, run string) {
	t.Helper()
	common := Files{"etc/passwd": "root:x:0:0::/:/bin/sh\ncnb:x:1000:1000::/home/cnb:/bin/bash\n", "etc/group": "root:x:0:\ncnb:x:1000:\n", "120000 usr/bin/env": "/bin/env"}
	maps.Copy(common, Programs(t, "/bin/bash"))
	maps.Copy(common, more)
	run = BaseImage(t, cli, common, "USER "+builderUser, "LABEL io.buildpacks.base.distro.name=test", "LABEL io.buildpacks.base.distro.version=1")
	files, lines := builder(t, packs, run)
	maps.Copy(files, common)
	return BaseImage(t, cli, files, append(lines, instructions...)...), run
}

// builder returns what makes an image a builder image: its files, and lines of a
// Dockerfile.
func builder(t testing.TB, packs []Buildpack, run string) (files Files, lines []string) {
	t.Helper()
	files = Files{}
	for _, name := range []string{"lifecycle", "launcher"} {
		content, err := os.ReadFile(filepath.Join(Lifecycle(t), name))
		if err != nil {
			t.Fatal(err)
		}
		files["100755 cnb/lifecycle/"+name] = string(content)
	}
	files["120000 cnb/lifecycle/detector"], files["120000 cnb/lifecycle/builder"] = "lifecycle", "lifecycle"
	type entry struct {
		ID      string `json:"id"`
		Version string `json:"version"`
	}
	metadata := map[string]any{"images": []any{map[string]string{"image": run}}}
	var list []entry
	for _, b := range packs {
		list = append(list, entry{b.ID, b.Version})
		dir := "cnb/buildpacks/" + strings.ReplaceAll(b.ID, "/", "_") + "/" + b.Version
		files[dir+"/buildpack.toml"] = fmt.Sprintf("api = \"0.10\"\n[buildpack]\nid = %q\nversion = %q\nname = %q\n[[targets]]\nos = \"linux\"\n", b.ID, b.Version, b.ID)
		files["100755 "+dir+"/bin/detect"], files["100755 "+dir+"/bin/build"] = "#!/bin/bash\n"+b.Detect, "#!/bin/bash\nset -eu\nlayers=$1 platform=$2\n"+b.Build
		files["cnb/order.toml"] += fmt.Sprintf("[[order]]\n[[order.group]]\nid = %q\nversion = %q\n", b.ID, b.Version)
	}
	metadata["buildpacks"] = list
	label := func(name string, value any) string {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("LABEL %s=%q", name, text)
	}
	return files, []string{"ENV CNB_USER_ID=1000 CNB_GROUP_ID=1000", "USER " + builderUser, label("io.buildpacks.builder.metadata", metadata),
		label("io.buildpacks.lifecycle.apis", map[string]any{"platform": map[string]any{"supported": []string{"0.12", "0.13", "0.14"}}})}
}

// Programs are programs of this machine with the libraries that they need, as files of an
// image.
func Programs(t testing.TB, paths ...string) Files {
	t.Helper()
	f := Files{}
	for _, path := range paths {
		libraries, _ := exec.Command("ldd", path).Output() // fails for a static program
		for _, file := range slices.Concat([]string{path}, regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1)) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("these tests need %s: %v", path, err)
			}
			f["100755 "+strings.TrimPrefix(file, "/")] = string(content)
		}
	}
	return f
}
