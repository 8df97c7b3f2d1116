package move

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestHeld: a program on the old server runs when it is told to, and not at all if it is not.
func TestHeld(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte("#!/bin/sh\nfor last; do :; done\nexec sh -c \"$last\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	h, mark := SSH{User: "root", Name: "old.test"}, filepath.Join(bin, "ran")
	hold := func(program string) Held {
		t.Helper()
		p, err := h.Hold("sh", "-c", "read -r x || exit 0; "+program)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	var out bytes.Buffer
	said, err := hold(`echo aside >&2; echo "<$x>"; head -c 300000 /dev/zero`).Run(t.Context(), "a b\n", &out)
	if err != nil || said != "aside" || !bytes.HasPrefix(out.Bytes(), []byte("<a b>\n")) || out.Len() != 300006 {
		t.Errorf("%q, %v, %d bytes", said, err, out.Len())
	}
	_, err = hold(`echo "it is broken" >&2; exit 3`).Run(t.Context(), "x\n", &out)
	var failed *Failed
	if !errors.As(err, &failed) || failed.Code != 3 || failed.Text != "it is broken" {
		t.Errorf("a failure is %v", err)
	}
	hold("touch " + mark).Drop()
	if _, err := os.Stat(mark); err == nil {
		t.Error("it runs though it was dropped")
	}
	_, err = hold("cat /dev/zero").Run(t.Context(), "x\n", full{})
	if !errors.Is(err, errFull) {
		t.Errorf("nobody takes its output, and the error is %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errFull)
	if _, err = hold("exec sleep 1").Run(ctx, "x\n", &out); !errors.Is(err, errFull) {
		t.Errorf("cancelled, the error is %v", err)
	}
}

var errFull = errors.New("it takes no more")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
