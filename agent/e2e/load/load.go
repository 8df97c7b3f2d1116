package load

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"testing"

	"dokku/agent/e2e/lab"
)

// A Generator is testdata/load while it runs.
type Generator struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	out   bytes.Buffer
	err   bytes.Buffer
}

func startLoad(l *lab.Lab, binary string, args ...string) *Generator {
	l.T.Helper()
	c := &Generator{t: l.T, cmd: exec.Command(binary, args...)}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.err
	in, err := c.cmd.StdinPipe()
	lab.Must(l.T, err)
	c.stdin = in
	lab.Must(l.T, c.cmd.Start())
	l.T.Cleanup(func() { lab.EndProcess(c.cmd) })
	return c
}

// Stop lets the requests under way end, and returns the report.
func (c *Generator) Stop() *Report {
	c.t.Helper()
	c.stdin.Close()
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("the load generator ends with %v:\n%s", err, c.err.String())
	}
	r := &Report{}
	d := json.NewDecoder(&c.out)
	d.DisallowUnknownFields()
	lab.Must(c.t, d.Decode(r))
	return r
}

// Generate starts testdata/load with so many requests a second, to all apps together.
func Generate(l *lab.Lab, rate int, apps []*App, issuer *Issuer) *Generator {
	l.T.Helper()
	binary := filepath.Join(l.Tools.Dir, "load")
	lab.Must(l.T, lab.GoBuild(binary, "./testdata/load"))
	return startLoad(l, binary, "-rate="+fmt.Sprint(rate), "-port="+fmt.Sprint(l.Nginx.Port),
		"-tls-port="+fmt.Sprint(l.Nginx.TLSPort), "-roots="+issuer.roots, "-apps="+names(apps),
		"-slow="+slow.String(), "-short="+slow.String(), "-long="+long.String())
}
