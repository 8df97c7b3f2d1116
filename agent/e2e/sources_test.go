package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"

	"dokku/agent/e2e/lab"
)

// newApp makes an app without a push.
func newApp(t *testing.T, l *lab.Lab) *lab.App {
	t.Helper()
	a := l.App(nil)
	l.Dokku("apps:create", a.Name)
	l.Dokku("git:set", a.Name, "deploy-branch", "main") // which the lab's helpers look at
	t.Cleanup(func() { l.With(t).Try("apps:destroy", a.Name, "--force") })
	return a
}

// show returns a file of the deploy branch on the server.
func show(a *lab.App, file string) string {
	return a.Git("--git-dir="+a.Dir(), "show", "main:"+file)
}

// TestFromImage deploys images that the engine has, without a registry: each is named by
// its id from then on, whatever its name becomes.
func TestFromImage(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := newApp(t, l)
	one, two := l.ServerImage("one"), l.ServerImage("two")
	name := a.Name + "/web:live"
	l.NameImage(one, name)
	out := l.Dokku("git:from-image", a.Name, name)
	lab.Contains(t, out, "-----> Image exists on host, skipping pull", "=====> Application deployed")
	lab.Lacks(t, out, "remote:")
	a.Serves(a.Tip("main"))
	lab.Contains(t, show(a, "Dockerfile"), "FROM ", `alternate-tags=[\"`+name+`\"]`, "source-image-id="+one)
	lab.Contains(t, a.Git("--git-dir="+a.Dir(), "log", "-1", "--format=%an <%ae>%n%B", "main"), "Dokku <automated@dokku.sh>", "git:from-image "+name)
	lab.Contains(t, l.Dokku("apps:report", a.Name), "docker-image", name)

	out, code := l.Try("git:from-image", a.Name, name)
	if code != 1 {
		t.Errorf("an unchanged image ends with %d", code)
	}
	lab.Contains(t, out, " !     No changes detected, skipping git commit", " !     Call 'ps:rebuild' on app to rebuild the app from existing source")

	// The name moves. A rebuild makes the same image, and the command another one.
	l.NameImage(two, name)
	before := a.Image("web.1")
	l.Dokku("ps:rebuild", a.Name)
	if after := a.Image("web.1"); after != before {
		t.Errorf("ps:rebuild follows the image's name: %s, want %s", after, before)
	}
	tip := a.Tip("main")
	lab.Contains(t, l.Dokku("git:from-image", a.Name, name, "Camila", "camila@example.com"), "Application deployed")
	a.Serves(a.Tip("main"))
	if parent := a.Git("--git-dir="+a.Dir(), "rev-parse", "main^"); parent != tip {
		t.Errorf("the parent is %s, want %s", parent, tip)
	}
	lab.Contains(t, a.Git("--git-dir="+a.Dir(), "log", "-1", "--format=%an <%ae>", "main"), "Camila <camila@example.com>")
	if a.Image("web.1") == before {
		t.Error("the new image does not serve")
	}
	lab.Contains(t, l.Dokku("git:from-image", a.Name, one), "Application deployed") // by its id
	if a.Image("web.1") == one {
		t.Error("the image has no labels of the app")
	}
	l.Dokku("builder:set", a.Name, "selected", "null")
	lab.Contains(t, l.Dokku("ps:rebuild", a.Name), "with null from an image, selected by builder:set", "Application deployed")
	if got := a.Image("web.1"); got != one {
		t.Errorf("null serves image %s, want %s as it is", got, one)
	}
}

// TestFromImageRejected: an image that does not serve changes nothing.
func TestFromImageRejected(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := newApp(t, l)
	name := a.Name + "/web"
	l.NameImage(l.ServerImage("one"), name+":good")
	l.Dokku("git:from-image", a.Name, name+":good")
	l.NameImage(l.Tools.Base, name+":bad") // it has no command
	before := a.Everything()
	out := l.Refused("git:from-image", a.Name, name+":bad")
	if after := a.Everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s\nit printed:\n%s", before, after, out)
	}
	lab.Contains(t, out, " !     ")
	lab.Lacks(t, out, "git says", "remote:")
	a.Serves(a.Tip("main"))

	for words, want := range map[string]string{
		"Not/Valid":                         `cannot use "Not/Valid" as an image`,
		name + ":none":                      "Failed to pull image: " + name + ":none",
		"127.0.0.1:1/none:1":                "Failed to pull image: 127.0.0.1:1/none:1",
		"sha256:" + strings.Repeat("0", 64): "it is an image's id, and no registry knows those",
	} {
		if words == name+":none" {
			continue // it would ask Docker Hub
		}
		lab.Contains(t, l.Refused("git:from-image", a.Name, words), want)
	}
	if after := a.Everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestFromRegistry pulls from a registry with a password.
func TestFromRegistry(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := newApp(t, l)
	r := l.Registry("s3cret")
	one, two := l.ServerImage("one"), l.ServerImage("two")
	name := r.Push(one, "team/web:1")
	t.Cleanup(func() { l.Tools.Docker.ImageRemove(context.Background(), name, image.RemoveOptions{}) })
	out := l.Refused("git:from-image", a.Name, name)
	lab.Contains(t, out, "-----> Pulling image", "Failed to pull image: "+name, "registry:login "+a.Name+" "+r.Address)
	lab.Contains(t, l.Refused("registry:login", a.Name, r.Address, lab.RegistryUser, "wrong"), "Unable to run docker login: cannot log in to "+r.Address)
	lab.Contains(t, l.Dokku("registry:login", a.Name, r.Address, lab.RegistryUser, "s3cret"), "Login Succeeded for "+a.Name)
	lab.Contains(t, l.Dokku("registry:report", a.Name, "--registry-logins"), r.Address)
	if info, err := os.Stat(a.Dir("dokku", "registry", "config.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password's file: %v, %v", info, err)
	}

	out = l.Dokku("git:from-image", a.Name, name)
	lab.Contains(t, out, "-----> Pulling image", "Application deployed")
	a.Serves(a.Tip("main"))
	lab.Contains(t, show(a, "Dockerfile"), "=127.0.0.1", "/team/web@sha256:")
	lab.Lacks(t, out+string(a.Read("dokku", "deploys", "1.log")), "s3cret")

	// The tag moves in the registry: --force pulls, and the version says which image it is.
	r.Push(two, "team/web:1")
	l.NameImage(one, name)
	lab.Contains(t, l.Refused("git:from-image", a.Name, name), "skipping pull", "No changes detected")
	lab.Contains(t, l.Dokku("--force", "git:from-image", a.Name, name), "-----> Force pulling image", "Application deployed")
	lab.Contains(t, show(a, "Dockerfile"), "source-image-id="+two)

	// An image that does not serve leaves nothing but itself, as docker pull would.
	before := a.Everything()
	bad := r.Push(l.Tools.Base, "team/bad:1")
	t.Cleanup(func() { l.Tools.Docker.ImageRemove(context.Background(), bad, image.RemoveOptions{}) })
	lab.Contains(t, l.Refused("git:from-image", a.Name, bad), "-----> Pulling image")
	if after := a.Everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}

	// A build pulls its base image with the same login.
	l.Dokku("registry:logout", a.Name, r.Address)
	lab.Contains(t, l.Refused("registry:logout", a.Name, r.Address), "it has no login for this registry")
	base := r.Push(l.ServerImage("base"), "team/base:1")
	b := l.App(lab.Files{"Dockerfile": "FROM " + base + "\n"})
	lab.Contains(t, b.Rejected(lab.Files{"x": "w"}), "has the engine ask "+r.Address+", an address of this server alone")
	l.Dokku("builder-dockerfile:set", "--global", "allowed-hosts", r.Address)
	lab.Contains(t, b.Rejected(lab.Files{"x": "y"}), " registry:login --global SERVER USER")
	lab.Contains(t, l.Dokku("registry:login", "--global", r.Address, lab.RegistryUser, "s3cret"), "Login Succeeded for global registry")
	b.Push(lab.Files{"x": "z"})
	b.Serves(b.Tip("main"))
}

// TestPrivateBaseImage: one app has a password for a registry, and another one writes the names of the
// images that it uses into its Dockerfile. The engine had them, and gave them to it.
func TestPrivateBaseImage(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	owner, thief := l.App(nil), l.App(nil)
	r := l.Registry("s3cret")
	name := r.Push(l.ServerImage("private"), "team/private:1")
	exact := r.Address + "/team/private@" + r.Digest("team/private", "1")
	l.Dokku("builder-dockerfile:set", "--global", "allowed-hosts", r.Address)
	n := 0
	from := func(name string) lab.Files {
		n++
		return lab.Files{"Dockerfile": "FROM " + name + "\nEXPOSE 5000\n", "x": strconv.Itoa(n)}
	}
	lab.Contains(t, thief.Rejected(from(exact)), " registry:login --global SERVER USER")
	l.Dokku("apps:create", owner.Name)
	l.Dokku("registry:login", owner.Name, r.Address, lab.RegistryUser, "s3cret")
	owner.Push(from(exact))
	l.Dokku("git:from-image", owner.Name, name) // the engine has the tag now
	t.Cleanup(func() { l.Tools.Docker.ImageRemove(context.Background(), name, image.RemoveOptions{}) })
	for _, image := range []string{exact, name} {
		lab.Contains(t, thief.Rejected(from(image)), `Dockerfile:1: "FROM `+image+`" is no image that `+r.Address+` gives to `+thief.Name+"; if it may have it: ", " registry:login "+thief.Name+" "+r.Address+" USER")
	}
	l.Dokku("registry:login", thief.Name, r.Address, lab.RegistryUser, "s3cret")
	thief.Push(from(name))
	thief.Serves(thief.Tip("main"))
	r.Stop()
	thief.Push(from(name))
}

// TestFromOpenRegistry pulls from a registry without a password. --build-dir gives an image
// with ONBUILD its files.
func TestFromOpenRegistry(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := newApp(t, l)
	name := l.Registry("").Push(l.ServerImage("open", "ONBUILD COPY . /app/"), "web:1")
	t.Cleanup(func() { l.Tools.Docker.ImageRemove(context.Background(), name, image.RemoveOptions{}) })
	dir := t.TempDir()
	lab.Must(t, os.MkdirAll(filepath.Join(dir, "deep"), 0o755))
	lab.Must(t, os.WriteFile(filepath.Join(dir, "deep", "greeting"), []byte("hello"), 0o644))
	out := l.Dokku("git:from-image", "--build-dir", dir, a.Name, name)
	lab.Contains(t, out, "-----> Pulling image", "       Syncing build directory context", "Application deployed")
	a.Serves(a.Tip("main"))
	lab.Contains(t, show(a, "Dockerfile"), "=127.0.0.1", "/web@sha256:")
	if got := show(a, "deep/greeting"); got != "hello" {
		t.Errorf("the revision has %q", got)
	}
	if got := fileIn(a, "web.1", "/app/deep/greeting"); got != "hello" {
		t.Errorf("web.1 has %q", got)
	}

	before := a.Everything()
	lab.Contains(t, l.Refused("git:from-image", "--build-dir", dir+"/none", a.Name, name), " !     Invalid BUILD_DIR specified for docker build context")
	lab.Must(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o644))
	lab.Contains(t, l.Refused("git:from-image", "--build-dir", dir, a.Name, name), "cannot use the build directory "+dir+`: cannot take "Dockerfile": the image takes the place of a Dockerfile`)
	if after := a.Everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// fileIn returns a file of a container.
func fileIn(a *lab.App, process, path string) string {
	a.Lab.T.Helper()
	body, _, err := a.Lab.Tools.Docker.CopyFromContainer(a.Lab.T.Context(), a.Name+"."+process, path)
	lab.Must(a.Lab.T, err)
	defer body.Close()
	files := tar.NewReader(body)
	_, err = files.Next()
	lab.Must(a.Lab.T, err)
	data, err := io.ReadAll(files)
	lab.Must(a.Lab.T, err)
	return string(data)
}

// TestLoadImage deploys an image from an archive, which moves no other name.
func TestLoadImage(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	a := newApp(t, l)
	id := l.ServerImage("one")
	name, other := a.Name+"/web:1", a.Name+"/other:1"
	l.NameImage(id, name)
	l.NameImage(id, other)
	saved := l.SaveImage(name, other)
	for _, n := range []string{name, other} {
		_, err := l.Tools.Docker.ImageRemove(t.Context(), n, image.RemoveOptions{})
		lab.Must(t, err)
	}
	load := func(input []byte, words ...string) (string, int) {
		cmd := l.Command(append([]string{"git:load-image", a.Name}, words...)...)
		cmd.Stdin = bytes.NewReader(input)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for want, input := range map[string][]byte{
		"standard input is not what docker save writes": []byte("nothing of the kind"),
		"unexpected EOF": saved[:len(saved)/2],
	} {
		out, code := load(input, name)
		if code != 1 {
			t.Errorf("it ends with %d:\n%s", code, out)
		}
		lab.Contains(t, out, want)
	}
	out, _ := load(saved, a.Name+"/none:1")
	lab.Contains(t, out, " !     Loaded image tarball but the specified docker image was not found: "+a.Name+"/none:1")
	if a.Tip("main") != "" || l.HasImage(a.Name+"/none:1") {
		t.Error("a refused archive leaves something")
	}
	out, code := load(saved, name)
	if code != 0 || l.HasImage(other) {
		t.Fatalf("it ends with %d; the other name is there: %t\n%s", code, l.HasImage(other), out)
	}
	lab.Contains(t, out, "Application deployed")
	a.Serves(a.Tip("main"))
}
