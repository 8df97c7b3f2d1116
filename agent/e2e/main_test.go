package e2e

import (
	"context"
	"flag"
	"os"
	"testing"

	"github.com/docker/docker/api/types/image"
)

// The end-to-end tests run the built program against a real git, sshd, nginx
// and Docker Engine: what is missing fails them. They run as whoever starts
// them, and leave the machine's own nginx, sshd and DOKKU_ROOT alone.

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of their time the tests wait, for checks and for what retires.
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		flag.Set("test.parallel", "4")
	}
	code := m.Run()
	if t := made; t != nil {
		t.docker.ImageRemove(context.Background(), t.base, image.RemoveOptions{})
		t.docker.Close()
		os.RemoveAll(t.dir)
	}
	os.Exit(code)
}
