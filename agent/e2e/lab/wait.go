package lab

import (
	"os"
	"strings"
	"testing"
	"time"
)

// Patience bounds every wait of a test.
const Patience = 3 * time.Minute

// WaitFor waits until ok holds, and fails the test after Patience.
func WaitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	late := time.After(Patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-late:
			t.Fatalf("waited in vain until %s", what)
		case <-tick.C:
		}
	}
}

// WaitUntil waits until no error is returned any more, and fails the test with the last one
// after Patience. It asks a few times a second, since the answer takes some work.
func WaitUntil(t *testing.T, what string, ok func() error) {
	t.Helper()
	late := time.After(Patience)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for err := ok(); err != nil; err = ok() {
		select {
		case <-late:
			t.Fatalf("waited in vain until %s: %v", what, err)
		case <-tick.C:
		}
	}
}

// Must fails the test if err is not nil.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Exists reports whether a file or folder exists.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Contains fails the test unless text has all the parts, in their order.
func Contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	rest := text
	for _, p := range parts {
		_, after, found := strings.Cut(rest, p)
		if !found {
			t.Errorf("%q is missing, or in the wrong place, in:\n%s", p, text)
			return
		}
		rest = after
	}
}

// Lacks fails the test if text has one of the parts.
func Lacks(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if strings.Contains(text, p) {
			t.Errorf("%q should not be in:\n%s", p, text)
		}
	}
}
