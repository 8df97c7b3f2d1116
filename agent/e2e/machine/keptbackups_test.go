package machine

import (
	"io"
	"strings"
	"testing"
	"time"

	"dokku/agent/backup"
	"dokku/agent/doctor"
	"dokku/agent/event"
	"dokku/agent/journal"
	"dokku/agent/vault"
	"dokku/agent/vault/vaulttest"
)

// TestKeptBackups: the agent backs up the server to a bucket by its schedule, and a machine
// that only knows the bucket brings all of it back.
func TestKeptBackups(t *testing.T) {
	h := newHistory(t)
	m := newMachine(t, h)
	m.furnish()
	url, end, err := vaulttest.S3(nil)
	check(t, err)
	t.Cleanup(end)
	j := backup.Job(m.server, "", event.Log{})
	begin := time.Now()
	plan := func(p *vault.Plan) error {
		p.Place, p.Schedule, p.Passphrase = "s3://"+vaulttest.Bucket, "0 3 * * *", "correct horse"
		p.Access = vault.Access{Key: vaulttest.Key, Secret: vaulttest.Secret, Region: "us-east-1", Endpoint: url}
		return nil
	}
	check(t, j.Change(t.Context(), begin, plan))
	now := begin
	agent := vault.Runner{Jobs: func() ([]vault.Job, error) { return backup.Jobs(m.server, event.Log{}) },
		Tell: func(e journal.Event) { m.server.Env.Tell(e, event.Log{}) }, Now: func() time.Time { return now }}
	agent.Look(t.Context())
	now = begin.Add(24 * time.Hour)
	agent.Look(t.Context())
	agent.Look(t.Context())
	if got := m.eventTexts(t, journal.Backup); len(got) != 1 || !strings.HasPrefix(got[0], "backup the server: ") || !strings.Contains(got[0], "proven: 1 app, ") {
		t.Errorf("the events are %q", got)
	}

	n := m.another()
	other := backup.Job(n.server, "", event.Log{})
	check(t, other.Change(t.Context(), begin, plan))
	p, err := other.Plan()
	check(t, err)
	s, err := other.Fetch(t.Context(), p, other.Item, "")
	check(t, err)
	defer s.Close()
	plain, err := vault.Unseal(s, p.Passphrase, nil)
	check(t, err)
	data, err := io.ReadAll(plain)
	check(t, err)
	if out, err := n.restored(data, backup.RestoreOptions{}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	n.settle()
	if err := n.serving(); err != nil {
		t.Error(err)
	}

	// What cannot be backed up is told, and the doctor knows the way.
	end()
	now = now.Add(24 * time.Hour)
	agent.Look(t.Context())
	events := m.events(t, journal.Backup)
	if last := events[len(events)-1]; len(events) != 2 || !strings.Contains(last.Error, "cannot store the backup: ") {
		t.Errorf("the events are %+v", events)
	}
	found := false
	for _, f := range (doctor.Doctor{Server: m.server, Around: doctor.Surroundings{SSHConfig: "/dev/null", Patience: time.Second}}).Examine(t.Context(), "") {
		if f.Check == "backups" {
			found = f.Status == doctor.HealthProblem && f.Fix == "dokku backup:run" && strings.Contains(f.Text, "failed: cannot store the backup: ") &&
				strings.Contains(f.Text, "; the last proven backup is of ")
			t.Logf("%+v", f)
		}
	}
	if !found {
		t.Error("the doctor does not say that the last backup failed")
	}
}

// TestProveDamagedBackup: a backup whose repository lacks objects, or whose bytes have
// changed, is not proven.
func TestProveDamagedBackup(t *testing.T) {
	m := newMachine(t, newHistory(t))
	data := m.backedUp(backup.BackupOptions{})
	if found, err := backup.Prove(t.Context(), m.server, strings.NewReader(string(data))); err != nil || !strings.HasPrefix(found, "1 app, ") {
		t.Errorf("a good one: %q, %v", found, err)
	}
	for _, at := range []int{len(data) / 3, len(data) / 2, len(data) - 20} {
		bad := []byte(string(data))
		for i := range 16 { // one bit may choose another of several equal runs of zeros
			bad[at+i] ^= 0xff
		}
		if found, err := backup.Prove(t.Context(), m.server, strings.NewReader(string(bad))); err == nil {
			t.Errorf("bytes from %d on changed: %q", at, found)
		}
		if found, err := backup.Prove(t.Context(), m.server, strings.NewReader(string(data[:at]))); err == nil {
			t.Errorf("cut at %d: %q", at, found)
		}
	}
}
