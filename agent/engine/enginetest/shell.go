package enginetest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// Shell returns a command that does what p says, for an image of Busybox.
func Shell(p Program) []string {
	var script strings.Builder
	for _, port := range p.Ports {
		fmt.Fprintf(&script, "httpd -p %d; httpd -p 127.0.0.1:%d\n", port, port+1)
	}
	script.WriteString("trap 'exit 3' USR1\n")
	if p.IgnoreStop {
		script.WriteString("trap '' TERM\n")
	} else {
		script.WriteString("stop() {\n")
		for _, line := range p.OnStop {
			fmt.Fprintf(&script, "echo '%s'\n", line)
		}
		script.WriteString("exit 0\n}\ntrap stop TERM\n")
	}
	if p.PID {
		script.WriteString("if [ $$ = 1 ]; then echo 'is process 1'; else echo 'is not process 1'; fi\n")
	}
	for _, to := range p.Dials {
		host, port, _ := strings.Cut(to, ":")
		fmt.Fprintf(&script, "if nc -w 5 %s %s </dev/null >/dev/null 2>&1; then echo 'reached %s'; else echo 'cannot reach %[3]s'; fi\n", host, port, to)
	}
	for _, name := range p.Writes {
		fmt.Fprintf(&script, "if (echo written >%s) 2>/dev/null; then echo 'wrote %[1]s'; else echo 'cannot write %[1]s'; fi\n", name)
	}
	for _, name := range p.Reads {
		fmt.Fprintf(&script, "if text=$(cat %s 2>/dev/null); then echo \"read $text from %[1]s\"; else echo 'cannot read %[1]s'; fi\n", name)
	}
	for _, line := range p.Output {
		fmt.Fprintf(&script, "echo '%s'\n", line)
	}
	if p.Allocates > 0 {
		fmt.Fprintf(&script, "memory=$(yes | head -c %d)\n", p.Allocates)
	}
	for _, line := range p.Errors {
		fmt.Fprintf(&script, "echo '%s' >&2\n", line)
	}
	if p.Sizes {
		script.WriteString("trap 'stty size' WINCH\nstty size\n")
	}
	if p.Cat {
		script.WriteString("cat\n")
	}
	if p.Exits || p.Cat {
		fmt.Fprintf(&script, "exit %d\n", p.Code)
	}
	script.WriteString("while :; do sleep 1000 & wait $!; done\n")
	return []string{"sh", "-c", script.String()}
}

// Busybox returns a tar of the root file system of an image with a shell.
func Busybox(t *testing.T) []byte {
	t.Helper()
	files, err := busyboxOnce()
	if err != nil {
		t.Fatalf("these tests need Debian's busybox-static: %v", err)
	}
	return files
}

var busyboxOnce = sync.OnceValues(func() ([]byte, error) {
	binary, err := os.ReadFile("/bin/busybox")
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	headers := []*tar.Header{
		{Name: "bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(binary))},
	}
	for _, name := range strings.Fields("sh echo sleep httpd nc cat true false yes head stty env") {
		headers = append(headers, &tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox"})
	}
	for _, h := range headers {
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if h.Size > 0 {
			if _, err := w.Write(binary); err != nil {
				return nil, err
			}
		}
	}
	return buf.Bytes(), w.Close()
})
