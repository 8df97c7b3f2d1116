package event

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

// TestAlive: the first sign of life comes after 5 s of silence, the next ones every 15 s,
// and none when nothing is under way or something else was printed.
func TestAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		term := NewTerminal(&out, &out, false)
		log := New(term).WithApp("shop").WithRelease(7)
		pass := func(d time.Duration) {
			time.Sleep(d)
			synctest.Wait()
		}
		log.Step("Starting")
		start := log.Busy("starting %s", "web.1")
		pass(3 * time.Second)
		log.Detail("web.1 is there")
		pass(5 * time.Second)
		pass(15 * time.Second)
		check := log.BusyWith(func() string { return "checking web.1" })
		pass(2 * time.Second)
		log.Detail("answers")
		pass(6 * time.Second)
		nothing := log.BusyWith(func() string { return "" })
		pass(16 * time.Second)
		nothing()
		check()
		start()
		pass(time.Hour)
		log.Step("Next")
		pass(time.Minute) // a person answers a question
		next := log.Busy("stopping web.1")
		pass(900 * time.Millisecond)
		next()
		next = log.Busy("stopping web.2")
		pass(time.Second)
		next()
		term.Close()
		want := "-----> Starting\n" +
			"       web.1 is there\n" +
			"       still starting web.1 8.0s\n" +
			"       still starting web.1 23.0s\n" +
			"       answers\n" +
			"       still checking web.1 7.0s\n" +
			"       still checking web.1 22.0s\n" +
			"-----> Next\n" +
			"       still stopping web.2 1.0s\n"
		if out.String() != want {
			t.Errorf("printed\n%swant\n%s", out.String(), want)
		}
	})
}

// TestAliveQuiet: --quiet prints no signs of life, and a closed terminal nothing.
func TestAliveQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, quiet := range []bool{true, false} {
			var out bytes.Buffer
			term := NewTerminal(&out, &out, quiet)
			if !quiet {
				term.Close()
			}
			done := New(term).Busy("starting web.1")
			time.Sleep(time.Hour)
			synctest.Wait()
			done()
			term.Close()
			if out.String() != "" {
				t.Errorf("quiet %v: printed %q", quiet, out.String())
			}
		}
	})
}

// TestAliveAfterAnother: a sign of life of a build counts as one.
func TestAliveAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		term := NewTerminal(&out, &out, false)
		log := New(term)
		done := log.Busy("building")
		time.Sleep(4 * time.Second)
		log.Alive("still running RUN make 4.0s")
		time.Sleep(14 * time.Second)
		synctest.Wait()
		done()
		term.Close()
		if want := "       still running RUN make 4.0s\n"; out.String() != want {
			t.Errorf("printed %q, want %q", out.String(), want)
		}
	})
}
