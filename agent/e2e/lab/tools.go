package lab

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// runID is in the name of every app of this run: the engine is shared.
var runID = strings.ToLower(rand.Text()[:6])

// Tools are shared by all labs of a run.
type Tools struct {
	Dir    string
	Binary string // the program under test
	Base   string // an image with the server of testdata/e2e/server
	Docker *client.Client
}

// Shared builds the program and the base image once. It fails when a tool or the engine
// is missing.
var Shared = sync.OnceValues(makeTools)

// made are the tools that Main removes.
var made *Tools

func makeTools() (*Tools, error) {
	for _, name := range []string{"git", "ssh", "ssh-keygen", "ssh-keyscan", "docker-registry", "nginx", "unshare"} {
		if _, err := exec.LookPath(name); err != nil {
			return nil, fmt.Errorf("the end-to-end tests need %s: %w (install.sh test installs it)", name, err)
		}
	}
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, err
	}
	if _, err := cli.Ping(context.Background()); err != nil {
		return nil, fmt.Errorf("the end-to-end tests need a Docker Engine: %w", err)
	}
	dir, err := os.MkdirTemp("", "e2e")
	if err != nil {
		return nil, err
	}
	t := &Tools{Dir: dir, Binary: filepath.Join(dir, "dokku"), Base: "dokku-e2e:" + runID, Docker: cli}
	made = t
	return t, errors.Join(GoBuild(t.Binary, "."), GoBuild(t.server(), "./testdata/e2e/server"), t.importBase())
}

// server is the program in Base.
func (t *Tools) server() string { return filepath.Join(t.Dir, "server") }

// On returns the tools for labs whose apps run on another engine, which gets the base image.
func (t *Tools) On(test *testing.T, engine *client.Client) *Tools {
	other := *t
	other.Docker = engine
	Must(test, other.importBase())
	return &other
}

// Root is the folder of go.mod, above the folder of the test.
var Root = sync.OnceValue(func() string {
	dir, err := os.Getwd()
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if Exists(filepath.Join(dir, "go.mod")) {
			return dir
		}
	}
	panic(fmt.Sprintf("no go.mod above the working folder (%v)", err))
})

// GoBuild builds a package of this module, "./testdata/load", into a file.
func GoBuild(to, from string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", to}, flags...), from)...)
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %w\n%s", from, err, out)
	}
	return nil
}

// importBase makes an image of the server alone, so that no push has to carry it.
func (t *Tools) importBase() error {
	data, err := os.ReadFile(t.server())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err = w.WriteHeader(&tar.Header{Name: "server", Mode: 0o755, Size: int64(len(data))})
	if err == nil {
		_, err = w.Write(data)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		return err
	}
	source := image.ImportSource{Source: &b, SourceName: "-"}
	answer, err := t.Docker.ImageImport(context.Background(), source, t.Base, image.ImportOptions{})
	if err != nil {
		return fmt.Errorf("cannot make the image %s: %w", t.Base, err)
	}
	defer answer.Close()
	_, err = io.Copy(io.Discard, answer)
	return err
}

// Main runs a package's tests, and removes the results of Shared. It returns the exit
// code for TestMain.
func Main(m *testing.M) int {
	flag.Parse()
	// The tests spend most of their time waiting for checks and for old processes to end.
	if n := flag.Lookup("test.parallel"); n.Value.String() == n.DefValue {
		flag.Set("test.parallel", "3")
	}
	// A shell without job control starts what it puts in the background with SIGINT ignored,
	// and clients that inherit that cannot be told Ctrl-C. They do not inherit a handler.
	if signal.Ignored(os.Interrupt) {
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	code := m.Run()
	if t := made; t != nil {
		t.Docker.ImageRemove(context.Background(), t.Base, image.RemoveOptions{})
		t.Docker.Close()
		os.RemoveAll(t.Dir)
	}
	return code
}
