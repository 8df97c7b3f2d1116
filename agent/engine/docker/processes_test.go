package docker_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dokku/agent/engine/docker"
	"dokku/agent/engine/enginetest"
)

// TestDockerProcesses: the host's table, which needs no engine, equals the engine's. The
// engine is asked if the host shows no process of the container.
func TestDockerProcesses(t *testing.T) {
	t.Parallel()
	d := newDocker(t)
	app := appName(t)
	one := deploy(t, d, app, enginetest.Program{}, nil).ID
	two := deploy(t, d, app+"x", enginetest.Program{}, nil).ID
	silent, err := docker.New(docker.Config{Host: "unix://" + filepath.Join(t.TempDir(), "none.sock")})
	if err != nil {
		t.Fatal(err)
	}
	d.SetProc(t.TempDir())
	for _, id := range []string{one, two} {
		if here, there := processes(t, silent, id), processes(t, d, id); !slices.Equal(here, there) {
			t.Errorf("the host shows %q, the engine %q", here, there)
		}
	}
}

// processes are the titles and those columns of each process that stay the same from one
// moment to the next.
func processes(t *testing.T, d *docker.Engine, id string) (rows []string) {
	t.Helper()
	titles, table, err := d.Processes(t.Context(), id, "auxwww")
	if err != nil || len(table) == 0 {
		t.Fatalf("%q, %v", table, err)
	}
	rows = append(rows, strings.Join(titles, " "))
	for _, row := range table {
		rows = append(rows, strings.Join([]string{row[0], row[1], row[len(row)-1]}, " "))
	}
	slices.Sort(rows)
	return rows
}
