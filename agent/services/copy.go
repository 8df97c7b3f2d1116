package services

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"

	"dokku/agent/engine"
	"dokku/agent/event"
)

// leastRoom is how many bytes of the disk a copy of data leaves free. Package deploy warns
// from there on.
const leastRoom = units.GiB

// roomLook is the time between two looks at the free space: a second of writing takes less
// than leastRoom.
const roomLook = 200 * time.Millisecond

// aside owns the containers of an upgrade and a network that nobody else joins: an app that
// remembers an address of the service reaches none of them.
func (r Ref) aside() string { return r.Owner() + ".upgrade" }

// source is the name of the old server in the network of an upgrade.
func (r Ref) source() string { return r.Host() + "-old" }

// A side is a container of an upgrade: the old data or the new ones.
type side struct {
	s  *Service // with the container as it will run, or did
	id string
}

// roomForCopy returns an error if the disk has no room for the data a second time.
func (m *Manager) roomForCopy(ctx context.Context, k Kind, s *Service) error {
	if m.Room == nil {
		return nil
	}
	size := int64(0)
	if i, ok, err := m.Instance(ctx, s); err != nil {
		return err
	} else if ok && i.Running() {
		for _, v := range k.volumes(s.Container) {
			out, exit, err := m.Host.Exec(ctx, i.ID, []string{"du", "-sk", v.Target})
			number, _, _ := strings.Cut(string(out), "\t")
			if n, bad := strconv.ParseInt(number, 10, 64); err == nil && exit == 0 && bad == nil { // else the look at the room decides
				size += n * units.KiB
			}
		}
	}
	if room := m.Room(); room < size+leastRoom {
		return fmt.Errorf("cannot copy the data of %s: they take %s, and the server's disk has room for %s, of which %s have to stay free",
			s.Ref(), units.BytesSize(float64(size)), units.BytesSize(float64(room)), units.BytesSize(leastRoom))
	}
	return nil
}

// withRoom runs f, and ends its context before it fills the disk.
func (m *Manager) withRoom(ctx context.Context, f func(context.Context) error) error {
	if m.Room == nil {
		return f(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var looks sync.WaitGroup
	defer looks.Wait()
	defer cancel(nil)
	looks.Go(func() {
		tick := time.NewTicker(roomLook)
		defer tick.Stop()
		for {
			if room := m.Room(); room < leastRoom {
				cancel(fmt.Errorf("the server's disk is nearly full (room for %s): the copy would fill it", units.BytesSize(float64(room))))
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	err := f(ctx)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// runAside runs a container of the service beside it, reached by no name, port or network of
// the service.
func (m *Manager) runAside(ctx context.Context, k Kind, s *Service, c Container, name string) (on side, err error) {
	on.s = new(*s)
	on.s.Container = c
	if _, err := m.Host.Network(ctx, s.Ref().aside()); err != nil {
		return on, fmt.Errorf("cannot make the network of the upgrade of %s: %w", s.Ref(), inner(err))
	}
	image, err := m.Host.Image(ctx, c.Image)
	if err != nil {
		return on, err
	}
	spec := m.spec(k, on.s, image.ID)
	spec.App = s.Ref().aside()
	spec.Name += "." + name
	spec.Attempt += "-" + name
	spec.Names = []string{s.Ref().Host() + "-" + name}
	spec.RestartPolicy, spec.Publish, spec.Joins, spec.Aliases = "no", nil, nil, nil
	i, err := m.Host.Start(ctx, spec)
	if err != nil {
		return on, err
	}
	on.id = i.ID
	return on, m.awaitReady(ctx, k, on.s, i)
}

// removeAside removes the containers and the network of an upgrade. It can be repeated.
func (m *Manager) removeAside(ctx context.Context, r Ref, grace time.Duration) error {
	o, err := m.Host.Observe(ctx, r.aside())
	if err != nil {
		return fmt.Errorf("cannot look at the upgrade of %s: %w", r, inner(err))
	}
	for _, i := range o.Instances {
		if err := m.Host.Stop(ctx, i.ID, grace); err != nil {
			return err
		}
		if err := m.Host.Remove(ctx, engine.Resource{Kind: engine.Container, ID: i.ID}); err != nil {
			return err
		}
	}
	for _, n := range o.Networks {
		if err := m.Host.Remove(ctx, engine.Resource{Kind: engine.NetworkKind, ID: n.ID}); err != nil {
			return err
		}
	}
	return nil
}

// prepareCopy sets up the new server, with no data, while the service goes on.
func (m *Manager) prepareCopy(ctx context.Context, k Kind, s *Service, log event.Log) (to side, err error) {
	log.Detail("Starting %s beside %s", s.Next.Image, s.Name)
	if to, err = m.runAside(ctx, k, s, *s.Next, "new"); err != nil {
		return to, err
	}
	return to, m.initialise(ctx, k, to.s, to.id)
}

// copyInto stops the service, copies its data, and compares them. Then no server runs on
// either data.
func (m *Manager) copyInto(ctx context.Context, k Kind, s *Service, to side, log event.Log) error {
	if i, ok, err := m.Instance(ctx, s); err != nil {
		return err
	} else if ok {
		log.Detail("Stopping %s", s.Name)
		if err := m.Host.Stop(context.WithoutCancel(ctx), i.ID, grace); err != nil {
			return err
		}
	}
	from, err := m.runAside(ctx, k, s, s.Container, "old")
	if err != nil {
		return err
	}
	err = m.withRoom(ctx, func(ctx context.Context) error {
		done := log.Busy("copying the data")
		defer done()
		return m.copyBetween(ctx, k, from, to)
	})
	if err != nil {
		return fmt.Errorf("cannot copy the data of %s: %w", s.Ref(), err)
	}
	if err := m.compare(ctx, k, from, to, log); err != nil {
		return err
	}
	return m.removeAside(context.WithoutCancel(ctx), s.Ref(), grace)
}

// copyBetween dumps the data of one side into the other.
func (m *Manager) copyBetween(ctx context.Context, k Kind, from, to side) error {
	dump, at, load := k.Upgrade.Dump, to, k.Upgrade.Load
	if len(dump.Command) == 0 {
		dump, at, load = k.Dump, from, k.Load.Exec
	}
	return pipe(ctx, func(ctx context.Context, w io.Writer) error { return m.stream(ctx, k, at.s, at.id, dump, nil, w) },
		func(ctx context.Context, r io.Reader) error { return m.stream(ctx, k, to.s, to.id, load, r, nil) })
}

// compare returns an error unless both sides say that they have the same.
func (m *Manager) compare(ctx context.Context, k Kind, from, to side, log event.Log) error {
	e := k.Upgrade.Compare
	if len(e.Command) == 0 {
		e = k.Count.Exec
	}
	if len(e.Command) == 0 {
		return nil
	}
	var lists [2]listing
	for n, on := range []side{from, to} {
		lists[n].sum = sha256.New()
		if err := m.stream(ctx, k, on.s, on.id, e, nil, &lists[n]); err != nil {
			return fmt.Errorf("cannot compare the data of %s: %w", from.s.Ref(), err)
		}
	}
	if a, b, differ := lists[0].differs(&lists[1]); differ {
		return fmt.Errorf("the copy differs from the data of %s: it has %q, not %q", from.s.Ref(), event.OneLine(b), event.OneLine(a))
	}
	found, err := m.count(ctx, k, to.s, to.id)
	if err == nil {
		log.Detail("The copy has the same: %s", found)
	}
	return err
}

// A listing is what a comparison prints: its sum, and its beginning for messages.
type listing struct {
	sum   hash.Hash
	begin bytes.Buffer
}

// listingSize is how much of a listing is kept.
const listingSize = units.MiB

func (l *listing) Write(p []byte) (int, error) {
	l.begin.Write(p[:min(len(p), listingSize-l.begin.Len())])
	return l.sum.Write(p)
}

// differs returns the first lines in which two listings differ.
func (l *listing) differs(other *listing) (a, b string, differ bool) {
	if bytes.Equal(l.sum.Sum(nil), other.sum.Sum(nil)) {
		return "", "", false
	}
	as, bs := strings.Split(l.begin.String(), "\n"), strings.Split(other.begin.String(), "\n")
	n := 0
	for n < min(len(as), len(bs)) && as[n] == bs[n] {
		n++
	}
	line := func(list []string) string {
		if n < len(list) && list[n] != "" {
			return list[n]
		}
		return "nothing more"
	}
	return line(as), line(bs), true
}

// pipe runs what writes and what reads at the same time, on one stream.
func pipe(ctx context.Context, write func(context.Context, io.Writer) error, read func(context.Context, io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	wrote := make(chan error, 1)
	go func() {
		err := write(ctx, w)
		w.CloseWithError(err)
		wrote <- err
	}()
	err := read(ctx, r)
	r.CloseWithError(io.ErrClosedPipe) // a dump that nobody reads any more ends
	if failed := <-wrote; failed != nil && !errors.Is(failed, io.ErrClosedPipe) {
		return failed // the reader has seen only a part, whatever it says
	}
	return err
}
