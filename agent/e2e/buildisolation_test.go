package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dokku/agent/e2e/lab"
	"dokku/build/buildtest"
)

// TestIsolatedBuild: an app that the server's own builder builds is deployed as others are. Its
// second push finds the steps of the first one. A server without the builder says how to get it,
// and builds nothing; one whose builder is killed rejects the push.
func TestIsolatedBuild(t *testing.T) {
	t.Parallel()
	d := buildtest.NewDaemon(t, nil)
	l := lab.New(t, map[string]any{"builder": d.Socket, "build": map[string]string{"build-isolation": "own"}})
	server, err := os.ReadFile(filepath.Join(l.Tools.Dir, "server"))
	lab.Must(t, err)
	busybox, err := os.ReadFile("/bin/busybox")
	lab.Must(t, err)
	dockerfile := "FROM scratch\nCOPY --chmod=755 server /server\nCOPY --chmod=755 sh /bin/sh\nRUN echo built-apart-$((40 + 2))\nCOPY . /app/\nEXPOSE 5000\nCMD [\"/server\"]\n"
	a := l.App(lab.Files{"Dockerfile": dockerfile, ".dockerignore": "server\n!server\n", "server": string(server), "sh": string(busybox)})
	lab.Contains(t, a.Push(nil), "Building "+a.Name+" from Dockerfile (", "in the builder of this server, apart from the engine (builder:set --global build-isolation)", "built-apart-42")
	a.Serves(a.Tip("main"))
	out := a.Push(lab.Files{"more": "x\n"})
	lab.Contains(t, out, "RUN echo built-apart-$((40 + 2))", "cached")
	if strings.Contains(out, "built-apart-42") {
		t.Errorf("the step ran again:\n%s", out)
	}
	lab.Contains(t, l.Dokku("builder:report", a.Name), "Builder computed build isolation: own\n")

	// In the middle of a build.
	tip := a.Tip("main")
	a.Commit(lab.Files{"Dockerfile": strings.Replace(dockerfile, "RUN echo", "RUN echo now; sleep 300; echo", 1)})
	push := a.Pushing()
	push.Prints("| now")
	lab.Must(t, syscall.Kill(d.PID(t), syscall.SIGKILL))
	lab.Contains(t, push.Fails(), "the builder of this server (build-isolation own) ended during the build: ", "it starts again by itself: push again")
	if a.Tip("main") != tip {
		t.Error("the ref has moved")
	}
	a.Serves(tip)
	d.Wait(t)
	a.Push(lab.Files{"Dockerfile": dockerfile})

	// Without it.
	l.Configure(map[string]any{"builder": filepath.Join(t.TempDir(), "none.sock")})
	l.Dokku("builder:set", a.Name, "build-isolation", "own")
	lab.Contains(t, a.Rejected(lab.Files{"more": "y\n"}), "build-isolation is own, but the builder of this server does not answer",
		"sudo ./install.sh builder; or build with the engine: ", " builder:set "+a.Name+" build-isolation engine")
	a.Serves(a.Tip("main"))
	l.Dokku("builder:set", a.Name, "build-isolation", "engine")
	if out := a.Push(lab.Files{"more": "z\n"}); strings.Contains(out, "in the builder of this server") {
		t.Errorf("the engine did not build:\n%s", out)
	}
}
