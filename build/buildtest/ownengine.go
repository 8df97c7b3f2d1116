package buildtest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/docker/docker/client"
)

// OwnEngine starts a Docker Engine for one test that changes what all builds of an engine
// share. It has no network, so its builds have no RUN. It returns the host of its API and
// a client.
func OwnEngine(t testing.TB) (host string, cli *client.Client) {
	t.Helper()
	dir, err := os.MkdirTemp("", "engine") // short, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	host = "unix://" + filepath.Join(dir, "sock")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("dockerd", "--host="+host, "--data-root="+filepath.Join(dir, "data"), "--exec-root="+filepath.Join(dir, "exec"),
		"--pidfile="+filepath.Join(dir, "pid"), "--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false")
	cmd.Stdout, cmd.Stderr = log, log
	// With --bridge=none it removes the interface docker0 of the server's own engine, unless
	// it has a network of its own.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		t.Fatalf("these tests need dockerd: %v", err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM) // so that it ends its containerd
		cmd.Wait()
	})
	if cli, err = client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		if _, err = cli.Ping(context.Background()); err == nil {
			return host, cli
		}
		select {
		case <-tick.C:
		case <-late:
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("the engine does not start: %v\n%s", err, said)
		}
	}
}
