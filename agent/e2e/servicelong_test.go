package e2e

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dokku/agent/e2e/lab"
	"dokku/agent/vault/vaulttest"
)

var longDump = flag.Int("services.dump", 200, "megabytes of the dump whose export, import and backup TestDatabases measures; with 1024 it takes minutes")

// longDump: a dump of any length passes through the commands and through the agent in little
// memory. The data cannot be compressed.
func (x *databases) longDump(t *testing.T) {
	l := lab.New(t, nil)
	name := "dokku-test-long"
	l.NameImage(x.old.Postgres, name+":15")
	id := strings.TrimPrefix(l.AppName(1), "e2e-")
	db, copied := "long"+id, "longcopy"+id
	owners := []string{"_postgres." + db, "_postgres." + copied}
	removeServices(t, l, owners...)
	l.StartAgent()
	for _, service := range []string{db, copied} {
		l.Dokku("postgres:create", service, "--image", name, "--image-version", "15", "--config-options", "-c fsync=off -c max_wal_size=4GB")
	}
	ask := func(service, query string) string {
		out := l.Dokku("postgres:enter", service, "psql", "-qAtX", "-U", "postgres", strings.ReplaceAll(service, "-", "_"), "-c", query)
		_, answer, _ := strings.Cut(strings.TrimSpace(out), "\n")
		return answer
	}
	ask(db, fmt.Sprintf("create extension pgcrypto; create unlogged table noise as select n, gen_random_bytes(1024) as b from generate_series(1, %d * 1024) n", *longDump))
	const sum = "select count(*), sum(hashtext(encode(b, 'hex'))) from noise"
	want := ask(db, sum)

	file := filepath.Join(t.TempDir(), "dump")
	dump, err := os.Create(file)
	lab.Must(t, err)
	defer dump.Close()
	begun := time.Now()
	export := l.Command("postgres:export", db)
	out, err := export.StdoutPipe()
	lab.Must(t, err)
	lab.Must(t, export.Start())
	size, most := copyWatched(t, export.Process.Pid, dump, out)
	lab.Must(t, export.Wait())
	t.Logf("a dump of %d MB was exported in %s, with %d MB of memory", size>>20, time.Since(begun).Round(time.Second), most>>20)
	if size < int64(*longDump)<<20 {
		t.Errorf("the dump has %d bytes", size)
	}

	// The agent backs up while a command imports.
	url, end, err := vaulttest.S3(nil)
	lab.Must(t, err)
	defer end()
	for _, service := range []string{db, copied} {
		l.Dokku("postgres:backup-auth", service, vaulttest.Key, vaulttest.Secret, "us-east-1", "s3v4", url)
	}
	idle := resident(t, l.Agent.Process.Pid)
	l.Dokku("postgres:backup-schedule", db, "* * * * *", vaulttest.Bucket)
	begun = time.Now()
	_, err = dump.Seek(0, io.SeekStart)
	lab.Must(t, err)
	load := l.Command("postgres:import", copied)
	var said bytes.Buffer
	load.Stdout, load.Stderr = &said, &said
	in, err := load.StdinPipe()
	lab.Must(t, err)
	lab.Must(t, load.Start())
	_, most = copyWatched(t, load.Process.Pid, in, dump)
	in.Close()
	if err := load.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	t.Logf("it was imported in %s, with %d MB of memory", time.Since(begun).Round(time.Second), most>>20)
	if got := ask(copied, sum); got != want {
		t.Errorf("the copy has %q, want %q", got, want)
	}

	late := time.After(time.Duration(*longDump) * 3 * time.Second)
	for tick := time.Tick(time.Second); !strings.Contains(l.Dokku("postgres:info", db), "Last proven backup:"); {
		select {
		case <-tick:
		case <-late:
			t.Fatalf("the agent has not backed up:\n%s", l.Dokku("postgres:backup-list", db))
		}
	}
	l.Dokku("postgres:backup-unschedule", db)
	t.Logf("the agent has taken %d MB of memory for a backup, and before it %d MB", resident(t, l.Agent.Process.Pid)>>20, idle>>20)

	backup := l.Command("postgres:backup", copied, vaulttest.Bucket)
	said.Reset()
	backup.Stdout, backup.Stderr = &said, &said
	begun, most = time.Now(), 0
	lab.Must(t, backup.Start())
	ended := make(chan error, 1)
	go func() { ended <- backup.Wait() }()
	for tick := time.Tick(20 * time.Millisecond); ; {
		select {
		case <-tick:
			most = max(most, resident(t, backup.Process.Pid))
			continue
		case err = <-ended:
		}
		break
	}
	if err != nil {
		t.Errorf("%v\n%s", err, said.String())
	}
	t.Logf("it was backed up and proven in %s, with %d MB of memory", time.Since(begun).Round(time.Second), most>>20)
	for _, service := range []string{db, copied} {
		l.Dokku("postgres:destroy", service, "--force")
	}
	lab.WaitFor(t, "nothing is left of the services", func() bool { return len(leftOfServices(t, l, owners...)) == 0 })
}

// copyWatched copies a stream to or from a process, and checks how much memory that takes. It
// returns both in bytes.
func copyWatched(t *testing.T, pid int, to io.Writer, from io.Reader) (n int64, most int) {
	t.Helper()
	for {
		m, err := io.CopyN(to, from, 1<<20)
		n += m
		most = max(most, resident(t, pid))
		if err == io.EOF {
			return n, most
		}
		lab.Must(t, err)
	}
}
