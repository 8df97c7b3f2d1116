package doctor

import (
	"os"
	"os/user"
	"syscall"
	"testing"
)

// TestOwnName: what root calls runs as the owner of the apps, and that name is said. An
// advice to give the files to root would lock the owner out.
func TestOwnName(t *testing.T) {
	want := strangerName(t)
	if got := ownName(); got != want {
		t.Errorf("the files belong to %q, want %q", got, want)
	}
}

// strangerName makes the process run as another user where it may, and returns the user's
// name.
func strangerName(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		u, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		return u.Username
	}
	const nobody = 65534
	if err := syscall.Seteuid(nobody); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Seteuid(0); err != nil {
			t.Fatal(err)
		}
	})
	return "nobody"
}
