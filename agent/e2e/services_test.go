package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"

	"dokku/agent/e2e/lab"
	"dokku/agent/engine"
	"dokku/agent/engine/docker"
	"dokku/agent/event"
	"dokku/agent/services"
	"dokku/agent/store"
	"dokku/agent/vault/vaulttest"
	"dokku/build/buildtest"
)

// servicesLab is a server with an image of PostgreSQL and Redis, whose name it returns.
func servicesLab(t *testing.T) (l *lab.Lab, name string) {
	t.Helper()
	tools, err := lab.Shared()
	lab.Must(t, err)
	id := buildtest.ServiceImages(t, tools.Docker, "bookworm").Postgres
	l = lab.New(t, nil)
	name = "dokku-test-services:15"
	l.NameImage(id, name)
	return l, name
}

// removeServices removes what a failed test has left of services.
func removeServices(t *testing.T, l *lab.Lab, owners ...string) {
	t.Cleanup(func() {
		docker, ctx := l.Tools.Docker, context.Background()
		for n := range *l.Apps { // they have joined the services' networks
			l.RemoveAll(l.AppName(n + 1))
		}
		for _, owner := range owners {
			l.RemoveAll(owner)
			kind, name, _ := strings.Cut(strings.TrimPrefix(owner, "_"), ".")
			list, _ := docker.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("name", "dokku."+kind+"."+name+"."))})
			for _, v := range list.Volumes {
				docker.VolumeRemove(ctx, v.Name, true)
			}
		}
	})
}

// leftOfServices lists what the engine has of services' owners.
func leftOfServices(t *testing.T, l *lab.Lab, owners ...string) (left []string) {
	t.Helper()
	docker, ctx := l.Tools.Docker, t.Context()
	for _, owner := range owners {
		label := filters.NewArgs(filters.Arg("label", engine.LabelApp+"="+owner))
		containers, err := docker.ContainerList(ctx, container.ListOptions{All: true, Filters: label})
		lab.Must(t, err)
		networks, err := docker.NetworkList(ctx, network.ListOptions{Filters: label})
		lab.Must(t, err)
		for _, c := range containers {
			left = append(left, "container "+c.Names[0])
		}
		for _, n := range networks {
			left = append(left, "network "+n.Name)
		}
		volumes, err := docker.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("name", "dokku."+strings.TrimPrefix(owner, "_")+"."))})
		lab.Must(t, err)
		for _, v := range volumes.Volumes {
			left = append(left, "volume "+v.Name)
		}
	}
	return left
}

// TestServices: an app writes into a real PostgreSQL that it is linked to. The data outlive
// a kill and a restart, and a dump is the same in another service.
func TestServices(t *testing.T) {
	l, name := servicesLab(t)
	id := strings.TrimPrefix(l.AppName(1), "e2e-")
	db, copied, back, queue := "db"+id, "copy"+id, "back"+id, "q"+id
	owners := []string{"_postgres." + db, "_postgres." + copied, "_redis." + queue, "_postgres." + back}
	removeServices(t, l, owners...)
	l.StartAgent()
	out := l.Dokku("postgres:create", db, "--image", "dokku-test-services", "--image-version", "15")
	lab.Contains(t, out, "=====> Postgres container created: "+db, "postgres://postgres:", "@dokku-postgres-"+db+":5432/"+strings.ReplaceAll(db, "-", "_"))
	lab.Contains(t, l.Refused("postgres:create", "other"+id, "--image", "dokku.invalid/none"), "pull failed", "docker load")

	a := l.App(lab.Files{"Dockerfile": "FROM " + name + "\nENTRYPOINT []\nCMD [\"sleep\", \"100000\"]\n", "Procfile": "worker: sleep 100000\n", "DOKKU_SCALE": "worker=1\n"})
	l.Dokku("apps:create", a.Name)
	a.Push(nil)
	out = l.Dokku("postgres:link", db, a.Name)
	lab.Contains(t, out, "-----> Setting config vars", "DATABASE_URL:  postgres://", "-----> Restarting app "+a.Name)
	sql := func(query string) string {
		return strings.TrimSpace(l.Dokku("run", a.Name, "psql", strings.TrimSpace(l.Dokku("config:get", a.Name, "DATABASE_URL"))+"?sslmode=require", "-qAtc", query))
	}
	sql("create table visits (n int, t text); insert into visits select n, md5(n::text) from generate_series(1, 300000) n")
	if got := sql("select count(*), sum(n) from visits"); got != "300000|45000150000" {
		t.Errorf("the app reads %q", got)
	}

	t.Run("the engine starts a killed server again", func(t *testing.T) {
		lab.Must(t, l.Tools.Docker.ContainerKill(t.Context(), "dokku.postgres."+db, "KILL"))
		lab.WaitFor(t, "the database is back", func() bool {
			out, code := l.Try("postgres:enter", db, "pg_isready", "--host=127.0.0.1")
			return code == 0 && strings.Contains(out, "accepting")
		})
		lab.Must(t, l.Tools.Docker.ContainerRemove(t.Context(), "dokku.postgres."+db, container.RemoveOptions{Force: true}))
		lab.WaitFor(t, "the agent has made another container", func() bool {
			out, code := l.Try("postgres:enter", db, "pg_isready", "--host=127.0.0.1")
			return code == 0 && strings.Contains(out, "accepting")
		})
		if got := sql("select count(*) from visits"); got != "300000" {
			t.Errorf("the app reads %q", got)
		}
	})

	dump := exportService(t, l, "postgres", db)
	t.Run("import", func(t *testing.T) {
		l.Dokku("postgres:create", copied, "--image", "dokku-test-services", "--image-version", "15")
		importService(t, l, "postgres", copied, dump, 0)
		importService(t, l, "postgres", copied, dump[:len(dump)/2], 1)
		count := l.Dokku("postgres:enter", copied, "psql", "-U", "postgres", strings.ReplaceAll(copied, "-", "_"), "-Atc", "select count(*), sum(n) from visits")
		if got := strings.TrimSpace(count); !strings.HasSuffix(got, "300000|45000150000") {
			t.Errorf("the copy has %q", got)
		}
		lab.Contains(t, l.Refused("postgres:upgrade", copied, "--image-version", "14"), "Postgres 14 is older than the data of "+copied+", which are of version 15")
	})

	t.Run("backup", func(t *testing.T) {
		url, end, err := vaulttest.S3(nil)
		lab.Must(t, err)
		defer end()
		l.Dokku("postgres:backup-auth", db, vaulttest.Key, vaulttest.Secret, "us-east-1", "s3v4", url)
		lab.Contains(t, l.Dokku("postgres:backup", db, vaulttest.Bucket), "Backed up the Postgres service "+db+" in s3://"+vaulttest.Bucket+"/postgres/"+db+"/", "proven: 1 table")
		l.Dokku("postgres:backup-set", db, "place", "s3://"+vaulttest.Bucket)
		lab.Contains(t, l.Dokku("postgres:info", db), "Last proven backup:")
		lab.Contains(t, l.Refused("postgres:restore", db), "already exists: --force loads the backup into it")
		lab.Contains(t, l.Dokku("postgres:restore", back, "--from", db), "Restored "+back+" from the backup ")
		count := l.Dokku("postgres:enter", back, "psql", "-U", "postgres", strings.ReplaceAll(back, "-", "_"), "-Atc", "select count(*), sum(n) from visits")
		if got := strings.TrimSpace(count); !strings.HasSuffix(got, "300000|45000150000") {
			t.Errorf("the restored one has %q", got)
		}
		l.Dokku("postgres:destroy", back, "--force")
	})

	t.Run("redis", func(t *testing.T) {
		l.Dokku("redis:create", queue, "--image", "dokku-test-services", "--image-version", "15")
		l.Dokku("redis:link", queue, a.Name)
		url := strings.TrimSpace(l.Dokku("config:get", a.Name, "REDIS_URL"))
		url = strings.Replace(url, "redis://:", "redis://default:", 1) // redis-cli 7 takes no name for an empty one
		l.Dokku("run", a.Name, "redis-cli", "-u", url, "set", "colour", "blue")
		dump := exportService(t, l, "redis", queue)
		l.Dokku("run", a.Name, "redis-cli", "-u", url, "set", "colour", "red")
		importService(t, l, "redis", queue, dump[:20], 1)
		lab.Contains(t, l.Dokku("run", a.Name, "redis-cli", "-u", url, "get", "colour"), "red")
		importService(t, l, "redis", queue, dump, 0)
		if got := proveService(t, l, "redis", queue, dump); got != "1 key" {
			t.Errorf("found %q", got)
		}
		lab.Contains(t, l.Dokku("run", a.Name, "redis-cli", "-u", url, "get", "colour"), "blue")
		if left := leftOfServices(t, l, owners[2]); len(left) != 3 {
			t.Errorf("there are %q, want a container, a network and a volume", left)
		}
	})

	lab.Contains(t, l.Refused("postgres:destroy", db, "--force"), "Cannot delete linked service")
	l.Dokku("postgres:unlink", db, a.Name)
	l.Dokku("redis:unlink", queue, a.Name)
	for _, words := range [][]string{{"postgres", db}, {"postgres", copied}, {"redis", queue}} {
		l.Dokku(words[0]+":destroy", words[1], "--force")
	}
	lab.WaitFor(t, "nothing is left of the services", func() bool { return len(leftOfServices(t, l, owners...)) == 0 })
}

// proveService loads a dump into a throwaway service, and returns what is found there.
func proveService(t *testing.T, l *lab.Lab, kind, name string, dump []byte) string {
	t.Helper()
	st := &store.Store{Root: l.Root}
	set, err := st.Settings()
	lab.Must(t, err)
	host, err := docker.New(docker.Config{Host: set.Docker, Pool: netip.MustParsePrefix(set.Pool), Root: st.Identity})
	lab.Must(t, err)
	m := &services.Manager{Store: st, Host: host}
	k, err := m.Kind(kind)
	lab.Must(t, err)
	s, err := m.Load(k, name)
	lab.Must(t, err)
	found, err := m.Prove(t.Context(), k, s, bytes.NewReader(dump), event.Log{})
	lab.Must(t, err)
	return found
}

// maxResident is the most memory, in bytes, that the program may take for a dump of any length.
const maxResident = 60 << 20

// resident checks how much memory a process that runs has taken, and returns it in bytes; 0 of
// one that has ended.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kilobytes, err := strconv.Atoi(strings.Fields(text)[0])
			if err != nil || kilobytes<<10 > maxResident {
				t.Fatalf("it takes %s (%v)", strings.TrimSpace(text), err)
			}
			return kilobytes << 10
		}
	}
	return 0
}

// exportService returns a dump, and checks how much memory the command takes.
func exportService(t *testing.T, l *lab.Lab, kind, name string) []byte {
	t.Helper()
	cmd := l.Command(kind+":export", name)
	var said, dump bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	lab.Must(t, err)
	lab.Must(t, cmd.Start())
	for {
		_, err := io.CopyN(&dump, out, 64<<10)
		resident(t, cmd.Process.Pid)
		if err != nil {
			break
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	return dump.Bytes()
}

// importService loads a dump, which has to end with the exit code.
func importService(t *testing.T, l *lab.Lab, kind, name string, dump []byte, want int) {
	t.Helper()
	cmd := l.Command(kind+":import", name)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	in, err := cmd.StdinPipe()
	lab.Must(t, err)
	lab.Must(t, cmd.Start())
	in.Write(dump) // a command that fails closes it
	resident(t, cmd.Process.Pid)
	in.Close()
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != want {
		t.Fatalf("%s:import ends with %d (%v), want %d\n%s", kind, code, err, want, said.String())
	}
}
