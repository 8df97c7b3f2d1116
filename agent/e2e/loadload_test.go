package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"testing"
)

// load is testdata/load while it runs.
type load struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.Closer
	out   bytes.Buffer
	err   bytes.Buffer
}

func (l *lab) startLoad(binary string, args ...string) *load {
	l.t.Helper()
	c := &load{t: l.t, cmd: exec.Command(binary, args...)}
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.err
	in, err := c.cmd.StdinPipe()
	must(l.t, err)
	c.stdin = in
	must(l.t, c.cmd.Start())
	l.t.Cleanup(func() { endProcess(c.cmd) })
	return c
}

// stop lets what is under way end, and returns what came back.
func (c *load) stop() *loadReport {
	c.t.Helper()
	c.stdin.Close()
	if err := c.cmd.Wait(); err != nil {
		c.t.Fatalf("the load generator ends with %v:\n%s", err, c.err.String())
	}
	r := &loadReport{}
	d := json.NewDecoder(&c.out)
	d.DisallowUnknownFields()
	must(c.t, d.Decode(r))
	return r
}

// load starts testdata/load.
func (l *lab) load(rate int, apps []*loadedApp) *load {
	l.t.Helper()
	binary := filepath.Join(l.tools.dir, "load")
	must(l.t, goBuild(binary, "./testdata/load"))
	return l.startLoad(binary, "-rate="+fmt.Sprint(rate), "-port="+fmt.Sprint(l.nginx.Port), "-apps="+names(apps),
		"-slow="+loadSlow.String(), "-short="+loadSlow.String(), "-long="+loadLong.String())
}
