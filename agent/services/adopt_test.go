package services_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"dokku/agent/event"
	"dokku/agent/services"
	"dokku/agent/services/servicestest"
)

// elsewhere is a service of another server.
type elsewhere struct {
	dump          string
	before, after int
	err           error
}

func (e elsewhere) Dump(_ context.Context, w io.Writer) (int, int, error) {
	if _, err := io.WriteString(w, servicestest.Head+e.dump); err != nil {
		return 0, 0, err
	}
	return e.before, e.after, e.err
}

// TestAdopt: a service comes with its secrets and data, and what is here is counted against
// what was there. Nothing is left of one whose data did not come whole.
func TestAdopt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		k, q := b.kind("postgres"), b.kind("redis")
		env := "A=1"
		o := services.Options{Image: "postgres:17.2", Env: &env, Password: "pw", Database: "other_name"}
		adopt := func(k services.Kind, from elsewhere) (string, error) {
			moved, err := b.Adopt(b.ctx, k, "db", o, from, event.Log{})
			return moved.String(), err
		}
		cut := errors.New("the connection was cut")
		for _, k := range []services.Kind{k, q} {
			_, err := adopt(k, elsewhere{"one two", 2, 2, cut})
			b.fails(err, "the connection was cut")
			b.nothing()
			_, err = adopt(k, elsewhere{"", 2, 2, nil})
			b.fails(err, "it has 0 "+k.Count.Unit+"s here, and 2 on the other server")
			b.nothing()
		}
		_, err := adopt(k, elsewhere{"one", 2, 2, nil})
		b.fails(err, "it has 1 table here, and 2 on the other server")
		b.nothing()

		moved, err := adopt(k, elsewhere{"one two", 2, 2, nil})
		b.ok(err)
		s := b.load("postgres", "db")
		if got, want := b.URL(k, s, ""), "postgres://postgres:pw@dokku-postgres-db:5432/other_name"; got != want || moved != "2 tables, as many as there" {
			t.Errorf("the URL is %s, and it has %s", got, moved)
		}
		if s.Container.Image != "postgres:17.2" || len(s.Container.Env) != 1 || b.engine.Volume(s.Container.Volume).Get() != servicestest.Head+"one two" {
			t.Errorf("it is %+v", s.Container)
		}
		_, err = adopt(k, elsewhere{})
		b.fails(err, "already exists")

		for _, test := range []struct {
			from elsewhere
			want string
		}{
			{elsewhere{"a b c", 3, 4, nil}, "3 keys here; there it had 3 before the dump and 4 after it"},
			{elsewhere{"a b", 3, 3, nil}, "2 keys here, 3 there: the others have expired"},
			{elsewhere{"a b", services.Unknown, services.Unknown, nil}, "2 keys here; they could not be counted there"},
		} {
			o.Image = "redis:8.8.0"
			moved, err := adopt(q, test.from)
			b.ok(err)
			if moved != test.want {
				t.Errorf("it says %q, want %q", moved, test.want)
			}
			b.ok(b.Destroy(b.ctx, q, "db", false, unused, event.Log{}))
		}
		o.Image = "memcached:1.6.42"
		_, err = adopt(b.kind("memcached"), elsewhere{"", 0, 0, errors.New("nobody asks for a dump")})
		b.ok(err)
	})
}

// TestRefill: data are never loaded over others unasked, and a dump that was cut changes
// nothing.
func TestRefill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		for _, kind := range []string{"postgres", "redis"} {
			k := b.kind(kind)
			b.create(kind, "db", services.Options{})
			has := func(want string) {
				t.Helper()
				if got := b.engine.Volume(b.load(kind, "db").Container.Volume).Get(); got != want {
					t.Errorf("it has %q, want %q", got, want)
				}
			}
			b.engine.Volume(b.load(kind, "db").Container.Volume).Set(servicestest.Head)
			cut := errors.New("the connection was cut")
			_, err := b.Refill(b.ctx, k, "db", false, elsewhere{"one two", 2, 2, cut}, event.Log{})
			b.fails(err, "the connection was cut")
			has(servicestest.Head)
			moved, err := b.Refill(b.ctx, k, "db", false, elsewhere{"one two", 2, 2, nil}, event.Log{})
			b.ok(err)
			if moved.Here != 2 {
				t.Errorf("it says %v", moved)
			}
			has(servicestest.Head + "one two")
			if _, err = b.Refill(b.ctx, k, "db", false, elsewhere{"three", 1, 1, nil}, event.Log{}); !errors.Is(err, services.ErrFilled) {
				t.Errorf("over data: %v", err)
			}
			has(servicestest.Head + "one two")
			_, err = b.Refill(b.ctx, k, "db", true, elsewhere{"three", 1, 1, nil}, event.Log{})
			b.ok(err)
			has(servicestest.Head + "three")
			moved, err = b.Refill(b.ctx, k, "db", true, elsewhere{"one two three", 2, 2, nil}, event.Log{})
			b.ok(err)
			if want := "3 " + k.Count.Unit + "s here, 2 there: the others were here before"; moved.String() != want {
				t.Errorf("it says %q, want %q", moved, want)
			}
		}
		_, err := b.Refill(b.ctx, b.kind("memcached"), "db", true, elsewhere{}, event.Log{})
		b.fails(err, "Not yet implemented")
	})
}
