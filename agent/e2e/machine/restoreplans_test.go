package machine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dokku/agent/app"
	"dokku/agent/backup"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/services"
	"dokku/agent/vault"
)

// planned is a backup with the plans of the server, of the service db, and of a mount.
type planned struct {
	old    *servedMachine
	data   []byte
	place  string // a folder
	access vault.Access
	key    string
	mount  app.Mount
}

func newPlanned(t *testing.T) *planned {
	t.Helper()
	p := &planned{old: newServed(t), place: filepath.Join(t.TempDir(), "kept"), mount: app.Mount{Source: "shop-data", Target: "/data"},
		access: vault.Access{Key: "AKIA", Secret: "s3cret", Region: "eu-central-1", Endpoint: "https://s3.example.com"},
		key:    "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}
	setPlan(t, backup.Job(p.old.server, "", event.Log{}).Vault, func(v *vault.Plan) {
		v.Place, v.Schedule, v.Keys, v.Access, v.Keep, v.Timeout = "s3://kept", "0 3 * * *", []string{p.key}, p.access, 3, "2h"
	})
	svc, err := p.old.services.Load(p.old.kind("postgres"), "db")
	check(t, err)
	setPlan(t, p.db(p.old.machine, svc).Vault, func(v *vault.Plan) { v.Place, v.Schedule, v.Passphrase = p.place, "30 4 * * *", "a passphrase" })
	setPlan(t, p.volume(p.old.machine).Vault, func(v *vault.Plan) { v.Schedule, v.Access.IAM = "@daily", true })
	p.data = p.old.backedUp(backup.BackupOptions{})
	return p
}

func setPlan(t *testing.T, v vault.Vault, change func(*vault.Plan)) {
	t.Helper()
	check(t, v.Change(t.Context(), time.Now().Add(-time.Hour), func(p *vault.Plan) error { change(p); return nil }))
}

func (p *planned) db(m *machine, svc *services.Service) vault.Job {
	return backup.ServiceJob(m.server, p.old.kind("postgres"), svc, vault.Plan{}, event.Log{})
}

func (p *planned) volume(m *machine) vault.Job {
	return backup.MountJob(m.server, "shop", p.mount, vault.Plan{})
}

// missingDB is the service where it does not exist: nothing but its name is known.
var missingDB = &services.Service{Kind: "postgres", Name: "db"}

// TestRestorePlans: the plans of backups come back with a backup: that of the server, of a
// mount, and of a service, which takes it up once it exists.
func TestRestorePlans(t *testing.T) {
	p := newPlanned(t)
	ctx, none := t.Context(), event.Log{}
	m := p.old.another()
	printed, err := m.restored(p.data, backup.RestoreOptions{OnHost: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	server, err := backup.Job(m.server, "", none).Plan()
	check(t, err)
	if server.Place != "s3://kept" || server.Schedule != "0 3 * * *" || server.Keys[0] != p.key || server.Access != p.access || server.Keep != 3 || server.Timeout != "2h" || time.Since(server.Since) > time.Minute {
		t.Errorf("the server's plan is %+v", server)
	}
	if got, err := p.volume(m).Plan(); err != nil || got.Schedule != "@daily" || !got.Access.IAM || time.Since(got.Since) > time.Minute {
		t.Errorf("the mount's plan is %+v, %v", got, err)
	}
	// The service is not here yet: its plan says where its backups are.
	if got, err := p.db(m, missingDB).Plan(); err != nil || got.Place != p.place || got.Passphrase != "a passphrase" {
		t.Errorf("before the service is here, its plan is %+v, %v", got, err)
	}
	s, err := m.server.Services()
	check(t, err)
	m.engine.SetImage("", engine.ImageInfo{ID: "sha256:postgres:18.4"}, "postgres:18.4")
	m.engine.Behave(behaviour)
	made, err := s.Create(ctx, p.old.kind("postgres"), "db", services.Options{}, none)
	check(t, err)
	jobs, err := backup.Jobs(m.server, none)
	check(t, err)
	if got, err := p.db(m, made).Plan(); err != nil || got.Schedule != "30 4 * * *" || len(jobs) != 2 {
		t.Errorf("once it is here, its plan is %+v, %v, and there are %d jobs", got, err, len(jobs))
	}
	if _, err := os.Stat(filepath.Join(m.root, ".dokku", "backups", "postgres", "db")); err == nil {
		t.Error("the plan waits on")
	}

	// What is set here stays, unless asked.
	setPlan(t, backup.Job(m.server, "", none).Vault, func(v *vault.Plan) { v.Place = "s3://mine" })
	check(t, m.server.Destroy(ctx, "shop", none))
	m.server.Env.Store.SweepRoot()
	printed, err = m.restored(p.data, backup.RestoreOptions{OnHost: true})
	check(t, err)
	if got, _ := backup.Job(m.server, "", none).Plan(); got.Place != "s3://mine" || !strings.Contains(printed, "(--force replaces them): the backup plan of the server") {
		t.Errorf("the plan is %+v, printed was %s", got, printed)
	}
	printed, err = m.restored(p.data, backup.RestoreOptions{OnHost: true, Force: true})
	check(t, err)
	if got, _ := backup.Job(m.server, "", none).Plan(); got.Place != "s3://kept" {
		t.Errorf("with --force, the plan is %+v, printed was %s", got, printed)
	}

}

// TestRestorePlansOverSSH: nothing comes over ssh that cannot be set over ssh.
func TestRestorePlansOverSSH(t *testing.T) {
	p := newPlanned(t)
	m := p.old.another()
	printed, err := m.restored(p.data, backup.RestoreOptions{})
	check(t, err)
	server, _ := backup.Job(m.server, "", event.Log{}).Plan()
	service, _ := p.db(m, missingDB).Plan()
	volume, _ := p.volume(m).Plan()
	if !server.Access.Public || server.Access.Secret != "s3cret" || service.Place != "" || service.Schedule == "" || volume.Access != (vault.Access{}) {
		t.Errorf("over ssh, the plans are %+v, %+v, %+v", server, service, volume)
	}
	for _, want := range []string{"the backup plan of postgres db is restored without its folder " + p.place, "a backup plan of shop is restored without the role of the machine"} {
		if !strings.Contains(printed, want) {
			t.Errorf("printed was %s, want %q", printed, want)
		}
	}
}
