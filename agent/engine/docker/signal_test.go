package docker_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/engine"
	"dokku/agent/engine/enginetest"
	"dokku/scale"
)

// worker is a program that finishes a job after TERM: it counts, which takes a moment. It
// is a script for a busybox of its own, whatever the image's sh is.
const worker = `#!/opt/sh
trap 'echo TERM; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo finished; exit 0' TERM
echo ready
while :; do /opt/sleep 1000 & wait $!; done
`

// TestShellSignals stops containers whose command needs a shell, on images with the shells
// that people have. The worker has to get TERM and the time to finish.
func TestShellSignals(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	for name, shell := range map[string]string{"dash": "/bin/dash", "bash": "/bin/bash", "busybox": "/bin/busybox"} {
		image := imported(t, d, shellRoot(t, shell), []string{"ENV PATH=/bin"})
		for line, workers := range map[string]int{
			"cd / && srv": 1, "X=1 srv $UNSET 2>&1": 1, "srv >&2 | srv >&2": 2, "while :; do srv; done": 1,
		} {
			t.Run(name+" "+line, func(t *testing.T) {
				argv, shell, err := scale.Command(line, func(string) (string, bool) { return "", false })
				if err != nil || !shell {
					t.Fatal(shell, err)
				}
				app := strings.ReplaceAll(strings.ToLower(appName(t)[:20]), "-", "") + name
				i := deploy(t, d, app, enginetest.Program{}, func(s *engine.Spec) { s.Image, s.Command = image, argv })
				out, in := io.Pipe()
				go func() {
					in.CloseWithError(d.Logs(context.WithoutCancel(t.Context()), i.ID, engine.LogOptions{Follow: true}, in))
				}()
				log := bufio.NewScanner(out)
				var got []string
				for len(got) < workers && log.Scan() {
					got = append(got, log.Text())
				}
				if err := d.Stop(t.Context(), i.ID, time.Minute); err != nil {
					t.Fatal(err)
				}
				for log.Scan() {
					got = append(got, log.Text())
				}
				if log.Err() != nil {
					t.Fatal(log.Err())
				}
				// Of two workers the lines may be mixed.
				if workers > 1 {
					slices.Sort(got[workers:])
				}
				var want []string
				for _, word := range []string{"ready", "TERM", "finished"} {
					want = append(want, slices.Repeat([]string{word}, workers)...)
				}
				if !slices.Equal(got, want) {
					t.Errorf("the log is %q, want %q", got, want)
				}
			})
		}
	}
}

// shellRoot returns a root file system with a shell of this machine as /bin/sh, its
// libraries, and the worker.
func shellRoot(t *testing.T, shell string) []byte {
	t.Helper()
	files := map[string]string{"/bin/sh": shell, "/opt/sh": "/bin/busybox", "/opt/sleep": "/bin/busybox"}
	libraries, _ := exec.Command("ldd", shell).Output() // fails for a static shell
	for _, path := range regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1) {
		files[path] = path
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	add := func(name string, data []byte) {
		if err := w.WriteHeader(&tar.Header{Name: name[1:], Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	for name, from := range files {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatalf("these tests need dash, bash and busybox-static: %v", err)
		}
		add(name, data)
	}
	add("/bin/srv", []byte(worker))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
