package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"dokku/agent/engine"
)

func placedEnds(t *testing.T, r *placedRun) {
	a := r.bare(t)
	s := r.placed(a, 1, 1, Program{Output: []string{"up"}, Exits: true, Code: 3})
	s.RestartPolicy = "no"
	i, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	last := a.until(i.ID, func(i engine.Instance) bool { return i.Status == engine.StatusExited })
	equal(t, "exit code", last.ExitCode, 3)
	equal(t, "restarts", last.Restarts, 0)
	equal(t, "it ended after its start", last.Finished.Before(last.Started), false)
	a.remove(engine.Container, i.ID)

	s.Attempt, s.RestartPolicy = "def", "on-failure:1"
	i, err = a.Host.Start(a.ctx, s)
	a.ok(err)
	last = a.until(i.ID, func(i engine.Instance) bool { return i.Status == engine.StatusExited && i.Restarts == 1 })
	equal(t, "exit code", last.ExitCode, 3)
	equal(t, "policy", last.Policy, engine.RestartPolicy{Name: "on-failure", Max: 1})
	equal(t, "starts in the log", strings.Count(a.log(i.ID, engine.LogOptions{}), "up"), 2)
}

func placedPull(t *testing.T, r *placedRun) {
	a := r.bare(t)
	s := r.placed(a, 1, 1, Program{})
	s.Placement.Image = r.Missing
	_, err := a.Host.Start(a.ctx, s)
	a.fails(err, engine.ErrCannotPull, "cannot start web.1 of app "+a.name, r.Missing, "node")
	equal(t, "processes", len(a.observe().Instances), 0)
}

func placedNoPlace(t *testing.T, r *placedRun) {
	a := r.bare(t)
	s := r.placed(a, 1, 1, Program{})
	s.Placement.Constraints = []string{"node.labels.enginetest==nowhere"}
	_, err := a.Host.Start(a.ctx, s)
	a.fails(err, engine.ErrNoPlace, "cannot start web.1 of app "+a.name)
	equal(t, "processes", len(a.observe().Instances), 0)
}

func placedMost(t *testing.T, r *placedRun) {
	a := r.bare(t)
	_, failed := r.startAll(a, 4, Program{}, func(s *engine.Spec) { s.Placement.MaxPerNode = 1 })
	failed = slices.DeleteFunc(failed, func(err error) bool { return err == nil })
	if len(failed) == 0 {
		t.Fatalf("three nodes take four processes: %+v", a.observe().Instances)
	}
	// Others may have been starting yet when it removed their group.
	a.fails(errors.Join(failed...), engine.ErrNoPlace)
}

func placedEnded(t *testing.T, r *placedRun) {
	a := r.bare(t)
	s := r.placed(a, 1, 1, Program{})
	s.Placement.Constraints = []string{"node.labels.enginetest==nowhere"}
	for _, limit := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, time.Second} {
		ctx, cancel := context.WithTimeout(a.ctx, limit)
		_, err := a.Host.Start(ctx, s)
		cancel()
		a.fails(err, context.DeadlineExceeded)
		equal(t, "processes", len(a.observe().Instances), 0)
	}
}

func placedLogs(t *testing.T, r *placedRun) {
	a := r.bare(t)
	started := r.group(a, 2, Program{Output: []string{"one", "two"}, OnStop: []string{"bye"}})
	equal(t, "on one node", started[0].Node == started[1].Node, false)
	for _, i := range started {
		a.ready(i.ID)
		equal(t, "log", a.log(i.ID, engine.LogOptions{}), "one\ntwo\nready\n")
		equal(t, "end of the log", a.log(i.ID, engine.LogOptions{Tail: 1}), "ready\n")
		stamped := a.log(i.ID, engine.LogOptions{Tail: 1, Timestamps: true})
		stamp, rest, _ := strings.Cut(stamped, " ")
		if _, err := time.Parse(time.RFC3339Nano, stamp); err != nil || rest != "ready\n" {
			t.Errorf("with the time it is %q", stamped)
		}
	}
	waited := make(chan error)
	for _, i := range started {
		go func() {
			_, err := a.Host.Wait(a.ctx, i.ID)
			waited <- err
		}()
	}
	a.stop(started[0].ID)
	for range started {
		a.ok(<-waited)
	}
	s := r.placed(a, 1, 1, Program{Exits: true, Code: 4})
	s.Attempt, s.RestartPolicy = "def", "no"
	i, err := a.Host.Start(a.ctx, s)
	a.ok(err)
	last, err := a.Host.Wait(a.ctx, i.ID)
	a.ok(err)
	equal(t, "id", last.ID, i.ID)
	equal(t, "exit code", last.ExitCode, 4)
}

func placedInside(t *testing.T, r *placedRun) {
	a := r.bare(t)
	for _, i := range r.group(a, 3, Program{Ports: []int{8080}}) {
		a.ready(i.ID)
		output, exit, err := a.Host.Exec(a.ctx, i.ID, []string{"sh", "-c", "echo $DYNO; exit 3"})
		a.ok(err)
		equal(t, "exit code", exit, 3)
		equal(t, "its name in its environment", string(output), fmt.Sprintf("web.%d\n", i.Index))
		sockets, err := a.Host.Listening(a.ctx, i.ID)
		a.ok(err)
		equal(t, "sockets", strings.ReplaceAll(fmt.Sprint(sockets), "0.0.0.0:", "[::]:"), "[[::]:8080 127.0.0.1:8081]")
	}
}

// placedBeside: processes on all nodes reach a container of the first one, once it has joined
// the overlay of its owner and they have.
func placedBeside(t *testing.T, r *placedRun) {
	db, a := r.app(t), r.bare(t)
	server := db.spec(1, Program{Ports: []int{8080}})
	server.Kind = engine.KindService
	i := db.start(server)
	for range 2 {
		name, err := db.Host.JoinOverlay(db.ctx, db.name, i.ID, []string{"database"})
		a.ok(err)
		equal(t, "network", name, engine.OverlayName(db.name))
	}
	started, failed := r.startAll(a, 3, Program{Dials: []string{"database:8080"}}, func(s *engine.Spec) { s.Joins = []string{engine.OverlayName(db.name)} })
	for _, err := range failed {
		a.ok(err)
	}
	for _, p := range started {
		a.ready(p.ID)
		equal(t, "what it prints on "+p.Node, a.log(p.ID, engine.LogOptions{}), "reached database:8080\nready\n")
	}
	_, err := db.Host.JoinOverlay(db.ctx, db.name, "nobody", nil)
	a.fails(err, engine.ErrNoContainer)
	a.clean()
}

func placedMissing(t *testing.T, r *placedRun) {
	a := r.bare(t)
	started := r.group(a, 1, Program{})
	for _, id := range []string{"missing.1", started[0].Group + ".2", started[0].Group + ".0"} {
		_, err := a.Host.Instance(a.ctx, id)
		a.fails(err, engine.ErrNoContainer, id)
		a.fails(a.Host.Logs(a.ctx, id, engine.LogOptions{}, &strings.Builder{}), engine.ErrNoContainer, id)
		_, _, err = a.Host.Exec(a.ctx, id, []string{"true"})
		a.fails(err, engine.ErrNoContainer, id)
		_, err = a.Host.Wait(a.ctx, id)
		a.fails(err, engine.ErrNoContainer, id)
	}
	a.stop("missing.1")
	a.remove(engine.Container, "missing.1")
	s := r.placed(a, 1, 1, Program{})
	s.Mounts = []engine.Mount{{Source: "/tmp", Target: "/data"}}
	_, err := a.Host.Start(a.ctx, s)
	a.fails(err, nil, "cannot start web.1 of app "+a.name, "/tmp")
}
