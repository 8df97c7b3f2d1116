package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// held is an ssh whose program waits for its input.
type held struct {
	host SSH
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  io.ReadCloser
	errs *os.File
}

// endWait is how long an ssh may take to end once nobody reads from it.
const endWait = 5 * time.Second

// Hold implements Host. The program has to begin with reading its input.
func (h SSH) Hold(words ...string) (Held, error) {
	cmd := exec.Command("ssh", h.line(words)...)
	errs, err := os.CreateTemp("", "dokku-import-") // see Run
	if err != nil {
		return nil, fmt.Errorf("cannot run ssh: %w", err)
	}
	os.Remove(errs.Name())
	cmd.Stderr = errs
	p := &held{host: h, cmd: cmd, errs: errs}
	if p.in, err = cmd.StdinPipe(); err == nil {
		if p.out, err = cmd.StdoutPipe(); err == nil {
			err = cmd.Start()
		}
	}
	if err != nil {
		errs.Close()
		return nil, fmt.Errorf("cannot run ssh: %w", err)
	}
	return p, nil
}

// Run implements Held. If ctx ends, or out takes no more, the streams are cut: this process
// may not be allowed to kill ssh any more.
func (p *held) Run(ctx context.Context, in string, out io.Writer) (said string, err error) {
	defer p.errs.Close()
	stop := context.AfterFunc(ctx, p.cut)
	defer stop()
	_, err = io.WriteString(p.in, in)
	p.in.Close()
	_, failed := io.Copy(out, p.out)
	if failed != nil {
		p.cut()
	}
	ended := p.host.outcome(ctx, p.wait(), p.errs)
	said = tail(p.errs)
	switch {
	case ctx.Err() != nil, ended != nil && failed == nil:
		return said, ended // whatever else failed did so because of it
	case failed != nil:
		return said, failed
	}
	return said, err
}

// Drop implements Held.
func (p *held) Drop() {
	p.cut()
	p.wait()
	p.errs.Close()
}

func (p *held) cut() {
	p.in.Close()
	p.out.Close()
	p.cmd.Process.Kill() // without the right to do so, the cut streams end it
}

// wait waits for ssh, which ends by itself.
func (p *held) wait() error {
	ended := make(chan error, 1)
	go func() { ended <- p.cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-time.After(endWait):
		return errors.New("ssh does not end")
	}
}
