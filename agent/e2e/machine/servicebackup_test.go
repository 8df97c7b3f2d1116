package machine

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"dokku/agent/backup"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/services"
	"dokku/agent/services/servicestest"
	"dokku/agent/vault"
	"dokku/agent/vault/vaulttest"
)

// TestServiceBackup: a service with a schedule is backed up by the agent, with the server's
// access, and proven in a throwaway one, of which nothing stays. A backup makes a new service
// with the same data.
func TestServiceBackup(t *testing.T) {
	m := newServed(t)
	ctx, none := t.Context(), event.Log{}
	url, end, err := vaulttest.S3(nil)
	check(t, err)
	t.Cleanup(end)
	begin := time.Now()
	server := backup.Job(m.server, "", none)
	check(t, server.Change(ctx, begin, func(p *vault.Plan) error {
		p.Place, p.Access = "s3://"+vaulttest.Bucket, vault.Access{Key: vaulttest.Key, Secret: vaulttest.Secret, Region: "us-east-1", Endpoint: url}
		return nil
	}))
	base, err := server.Plan()
	check(t, err)
	k := m.kind("postgres")
	check(t, m.services.Import(ctx, k, "db", strings.NewReader(servicestest.Head+"one two three"), none))
	svc, err := m.services.Load(k, "db")
	check(t, err)
	j := backup.ServiceJob(m.server, k, svc, base, none)
	check(t, j.Change(ctx, begin, func(p *vault.Plan) error { p.Schedule = "0 3 * * *"; return nil }))
	now := begin.Add(24 * time.Hour)
	agent := vault.Runner{Jobs: func() ([]vault.Job, error) { return backup.Jobs(m.server, none) },
		Tell: func(e journal.Event) { m.server.Env.Tell(e, none) }, Now: func() time.Time { return now }}
	agent.Look(ctx)
	if got := m.eventTexts(t, journal.Backup); len(got) != 1 || !strings.HasPrefix(got[0], "backup the Postgres service db: ") || !strings.HasSuffix(got[0], "proven: 3 tables") {
		t.Errorf("the events are %q", got)
	}
	if all, err := m.services.List(k); err != nil || len(all) != 1 {
		t.Errorf("there are %d services, %v", len(all), err)
	}

	p, err := j.Plan()
	check(t, err)
	s, err := j.Fetch(ctx, p, j.Item, "")
	check(t, err)
	defer s.Close()
	_, err = m.services.Restore(ctx, k, "again", services.Options{}, s, none)
	check(t, err)
	again, err := m.services.Load(k, "again")
	check(t, err)
	var dump strings.Builder
	check(t, m.services.Export(ctx, k, again, &dump))
	if dump.String() != servicestest.Head+"one two three" {
		t.Errorf("the restored service has %q", dump.String())
	}

	// A full disk ends the proof, not the backup, and not the database.
	m.server.Env.FreeSpace = func(string) (int64, error) { return 500 << 20, nil }
	full, err := j.Run(ctx, p, j.Source, vault.Options{}, none)
	if err == nil || full.Proven || !full.Stored || !strings.Contains(full.Error, "the server's disk is nearly full") {
		t.Errorf("%v, %+v", err, full)
	}
	m.server.Env.FreeSpace = nil

	// A dump that cannot be loaded makes no service, and is no proven backup.
	if _, err := m.services.Restore(ctx, k, "bad", services.Options{}, strings.NewReader("rubbish"), none); err == nil {
		t.Error("rubbish was restored")
	}
	if _, err := m.services.Load(k, "bad"); err == nil {
		t.Error("a service with nothing in it is left")
	}
	j.Dump = func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, "rubbish"); return err }
	b, err := j.Run(ctx, p, j.Source, vault.Options{}, none)
	if err == nil || b.Proven || !b.Stored || !strings.Contains(b.Error, "could not be loaded again") {
		t.Errorf("%v, %+v", err, b)
	}
}
