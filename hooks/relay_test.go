package hooks

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"dokku/agent/deploy"
)

// closer returns a channel and the function that closes it.
func closer() (func(), <-chan struct{}) {
	c := make(chan struct{})
	return func() { close(c) }, c
}

func TestRelayPassesEverythingOn(t *testing.T) {
	r, w := io.Pipe()
	lost, gone := closer()
	relay := newRelay(w, lost)
	want := bytes.Repeat([]byte("0123456789"), 100_000)
	for part := want; len(part) > 0; part = part[10_000:] {
		relay.Write(part[:10_000])
	}
	got := make(chan []byte)
	go func() {
		b, _ := io.ReadAll(r)
		got <- b
	}()
	relay.flush(gone)
	w.Close()
	if !bytes.Equal(<-got, want) {
		t.Error("bytes were lost")
	}
}

// A client that never reads is given up at the backlog, without waiting.
func TestRelayGivesUpAtTheBacklog(t *testing.T) {
	r, w := io.Pipe()
	defer r.Close() // nobody reads
	lost, gone := closer()
	relay := newRelay(w, lost)
	chunk := make([]byte, 1<<20)
	for range backlog / len(chunk) {
		relay.Write(chunk)
	}
	select {
	case <-gone:
		t.Fatal("the client is given up within the backlog")
	default:
	}
	relay.Write(chunk)
	select {
	case <-gone:
	case <-time.After(deadline):
		t.Fatal("the client is not given up past the backlog")
	}
	relay.Write(chunk) // goes nowhere, and does not wait
	relay.flush(gone)
}

func TestRelayNoticesABrokenPipe(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	lost, gone := closer()
	relay := newRelay(w, lost)
	relay.Write([]byte("x"))
	relay.flush(gone)
	select {
	case <-gone:
	case <-time.After(deadline):
		t.Fatal("nobody is told that the client is gone")
	}
}

func TestHangup(t *testing.T) {
	r, w, err := os.Pipe()
	must(t, err)
	defer w.Close()
	gone := hangup(t.Context(), w)
	select {
	case <-gone:
		t.Fatal("a pipe with a reader hangs up")
	case <-time.After(50 * time.Millisecond):
	}
	start := time.Now()
	r.Close()
	select {
	case <-gone:
	case <-time.After(deadline):
		t.Fatal("a pipe without a reader does not hang up")
	}
	t.Logf("noticed after %s", time.Since(start))

	file, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer file.Close()
	ctx, cancel := context.WithCancel(t.Context())
	never := hangup(ctx, file)
	select {
	case <-never:
		t.Fatal("a file hangs up")
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	<-never
}

func TestReadRefs(t *testing.T) {
	a, b := strings.Repeat("a", 40), strings.Repeat("0", 40)
	refs, err := readRefs(strings.NewReader(a + " " + b + " refs/heads/main\n" + b + " " + a + " refs/tags/ü x\n"))
	want := []deploy.Ref{{Old: a, New: b, Name: "refs/heads/main"}, {Old: b, New: a, Name: "refs/tags/ü x"}}
	if err != nil || len(refs) != 2 || refs[0] != want[0] || refs[1] != want[1] {
		t.Errorf("readRefs = %v, %v; want %v", refs, err, want)
	}
	for _, in := range []string{"\n", "x\n", a + " " + b + "\n", a + " " + b + " main\n", a[1:] + " " + b + " refs/x\n", a + "  " + b + " refs/x\n"} {
		if refs, err := readRefs(strings.NewReader(in)); err == nil {
			t.Errorf("readRefs(%q) = %v, want an error", in, refs)
		}
	}
	if refs, err := readRefs(strings.NewReader("")); err != nil || refs != nil {
		t.Errorf("readRefs of nothing = %v, %v", refs, err)
	}
}
