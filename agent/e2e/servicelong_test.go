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

var dumpSize = flag.Int("services.dump", 200, "megabytes of the dump whose export, import and backup TestDatabases measures; with 1024 it takes minutes")

// longDump: a dump of any length passes through the commands and through the agent in little
// memory. The data cannot be compressed.
func (x *databases) longDump(t *testing.T) {
	l := lab.New(t, nil)
	name := "dokku-test-long"
	l.NameImage(x.old.Postgres, name+":15")
	id := strings.TrimPrefix(l.AppName(1), "e2e-")
	d := &longDump{T: t, Lab: l, db: "long" + id, copied: "longcopy" + id}
	owners := []string{"_postgres." + d.db, "_postgres." + d.copied}
	removeServices(t, l, owners...)
	l.StartAgent()
	for _, service := range []string{d.db, d.copied} {
		l.Dokku("postgres:create", service, "--image", name, "--image-version", "15", "--config-options", "-c fsync=off -c max_wal_size=4GB")
	}
	d.ask(d.db, fmt.Sprintf("create extension pgcrypto; create unlogged table noise as select n, gen_random_bytes(1024) as b from generate_series(1, %d * 1024) n", *dumpSize))

	dump, err := os.Create(filepath.Join(t.TempDir(), "dump"))
	lab.Must(t, err)
	defer dump.Close()
	d.export(dump)
	url, end, err := vaulttest.S3(nil)
	lab.Must(t, err)
	defer end()
	for _, service := range []string{d.db, d.copied} {
		l.Dokku("postgres:backup-auth", service, vaulttest.Key, vaulttest.Secret, "us-east-1", "s3v4", url)
	}
	// The agent backs up while a command imports.
	idle := resident(t, l.Agent.Process.Pid)
	l.Dokku("postgres:backup-schedule", d.db, "* * * * *", vaulttest.Bucket)
	d.load(dump)
	d.awaitBackup()
	t.Logf("the agent has taken %d MB of memory for a backup, and before it %d MB", resident(t, l.Agent.Process.Pid)>>20, idle>>20)
	d.backUp()
	for _, service := range []string{d.db, d.copied} {
		l.Dokku("postgres:destroy", service, "--force")
	}
	lab.WaitFor(t, "nothing is left of the services", func() bool { return len(leftOfServices(t, l, owners...)) == 0 })
}

// A longDump is a database with much data, and one that gets them.
type longDump struct {
	*testing.T
	*lab.Lab
	db, copied string
}

// ask returns the answer of a service to a query.
func (d *longDump) ask(service, query string) string {
	out := d.Dokku("postgres:enter", service, "psql", "-qAtX", "-U", "postgres", strings.ReplaceAll(service, "-", "_"), "-c", query)
	_, answer, _ := strings.Cut(strings.TrimSpace(out), "\n")
	return answer
}

// sum counts and hashes the data of a service.
func (d *longDump) sum(service string) string {
	return d.ask(service, "select count(*), sum(hashtext(encode(b, 'hex'))) from noise")
}

func (d *longDump) export(dump *os.File) {
	begun := time.Now()
	export := d.Command("postgres:export", d.db)
	out, err := export.StdoutPipe()
	lab.Must(d.T, err)
	lab.Must(d.T, export.Start())
	size, most := copyWatched(d.T, export.Process.Pid, dump, out)
	lab.Must(d.T, export.Wait())
	d.Logf("a dump of %d MB was exported in %s, with %d MB of memory", size>>20, time.Since(begun).Round(time.Second), most>>20)
	if size < int64(*dumpSize)<<20 {
		d.Errorf("the dump has %d bytes", size)
	}
}

func (d *longDump) load(dump *os.File) {
	begun := time.Now()
	_, err := dump.Seek(0, io.SeekStart)
	lab.Must(d.T, err)
	load := d.Command("postgres:import", d.copied)
	var said bytes.Buffer
	load.Stdout, load.Stderr = &said, &said
	in, err := load.StdinPipe()
	lab.Must(d.T, err)
	lab.Must(d.T, load.Start())
	_, most := copyWatched(d.T, load.Process.Pid, in, dump)
	in.Close()
	if err := load.Wait(); err != nil {
		d.Fatalf("%v\n%s", err, said.String())
	}
	d.Logf("it was imported in %s, with %d MB of memory", time.Since(begun).Round(time.Second), most>>20)
	if got, want := d.sum(d.copied), d.sum(d.db); got != want {
		d.Errorf("the copy has %q, want %q", got, want)
	}
}

// awaitBackup waits until the agent has backed up and proven the database.
func (d *longDump) awaitBackup() {
	late := time.After(time.Duration(*dumpSize) * 3 * time.Second)
	for tick := time.Tick(time.Second); !strings.Contains(d.Dokku("postgres:info", d.db), "Last proven backup:"); {
		select {
		case <-tick:
		case <-late:
			d.Fatalf("the agent has not backed up:\n%s", d.Dokku("postgres:backup-list", d.db))
		}
	}
	d.Dokku("postgres:backup-unschedule", d.db)
}

func (d *longDump) backUp() {
	backup := d.Command("postgres:backup", d.copied, vaulttest.Bucket)
	var said bytes.Buffer
	backup.Stdout, backup.Stderr = &said, &said
	begun, most := time.Now(), 0
	lab.Must(d.T, backup.Start())
	ended := make(chan error, 1)
	go func() { ended <- backup.Wait() }()
	for tick := time.Tick(20 * time.Millisecond); ; {
		select {
		case <-tick:
			most = max(most, resident(d.T, backup.Process.Pid))
			continue
		case err := <-ended:
			if err != nil {
				d.Errorf("%v\n%s", err, said.String())
			}
		}
		break
	}
	d.Logf("it was backed up and proven in %s, with %d MB of memory", time.Since(begun).Round(time.Second), most>>20)
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
