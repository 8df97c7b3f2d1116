package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"time"

	"dokku/agent"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/repo"
	"dokku/agent/services"
	"dokku/agent/vault"
)

// planMember matches the plans of a backup: that of the server, and of services. Those of an
// app's mounts are in the app's folder.
var planMember = regexp.MustCompile(`^` + Folder + `/(?:server|([a-z][a-z0-9-]{0,15})/([A-Za-z0-9_-]{1,40}))/` + regexp.QuoteMeta(vault.PlanFile) + `$`)

// mountPlan matches the plan of a mount in an app's folder.
var mountPlan = regexp.MustCompile(`^dokku/` + Folder + `/[A-Za-z0-9_.-]{1,80}/` + regexp.QuoteMeta(vault.PlanFile) + `$`)

// waiting is the folder of the plan of a service that is not here: a restore leaves it there,
// and the service takes it up once it exists. Until then, it says where the service's backups
// are.
func waiting(s *agent.Server, r services.Ref) string { return s.Env.Store.Own(Folder, r.Kind, r.Name) }

// vaultOf returns the vault of a service, which need not exist. It takes up a plan that waits
// for the service. A crash leaves the plan in one of both places.
func vaultOf(s *agent.Server, svc *services.Service) vault.Vault {
	v := vault.Vault{Dir: filepath.Join((&services.Manager{Store: s.Env.Store}).Root(svc.Ref()), Folder), Disk: s.Env.Store.Disk}
	from := waiting(s, svc.Ref())
	_, here := os.Stat(filepath.Join(v.Dir, vault.PlanFile))
	if _, err := os.Stat(from); err != nil || here == nil {
		return v
	}
	if svc.Container.Image == "" { // nothing but its name is known
		v.Dir = from
		return v
	}
	err := v.Disk.MkdirAll(v.Dir, 0o700)
	if err == nil {
		err = v.Disk.Rename(filepath.Join(from, vault.PlanFile), filepath.Join(v.Dir, vault.PlanFile))
	}
	if err == nil {
		err = v.Disk.Sync(v.Dir)
	}
	if err == nil {
		v.Disk.RemoveAll(from)
	}
	return v
}

// backUpPlans copies the plans of the server's and the services' backups.
func backUpPlans(s *agent.Server, dir string) error {
	if err := repo.CopyFiles(s.Env.Store.Own(), dir, filepath.Join(Folder, "server", vault.PlanFile)); err != nil {
		return err
	}
	m := &services.Manager{Store: s.Env.Store}
	all, err := m.All()
	if err != nil {
		return err
	}
	for _, r := range all {
		from := filepath.Join(m.Root(r), Folder)
		if err := repo.CopyFiles(from, filepath.Join(dir, Folder, r.Kind, r.Name), vault.PlanFile); err != nil {
			return err
		}
	}
	return nil
}

// backUpMountPlans copies the plans of an app's mounts.
func backUpMountPlans(x *deploy.Session, dir string) error {
	plans, err := filepath.Glob(filepath.Join(x.Dir, "dokku", Folder, "*", vault.PlanFile))
	for _, path := range plans {
		rel, _ := filepath.Rel(x.Dir, path)
		if err == nil {
			err = repo.CopyFiles(x.Dir, dir, rel)
		}
	}
	return err
}

// A storedPlan is a plan of the backup.
type storedPlan struct {
	plan  vault.Plan
	ref   services.Ref // zero: the server's
	about string
}

// plans reads the plans of the server and of services.
func (x *restore) plans() (list []storedPlan, err error) {
	for _, f := range x.m.Files {
		m := planMember.FindStringSubmatch(f.Name)
		if m == nil {
			continue
		}
		p := storedPlan{ref: services.Ref{Kind: m[1], Name: m[2]}, about: "the backup plan of the server"}
		if m[1] != "" {
			p.about = "the backup plan of " + p.ref.String()
		}
		if p.plan, err = readPlan(filepath.Join(x.dir, f.Name)); err != nil {
			return nil, inBackup(x.dir, err)
		}
		list = append(list, p)
	}
	return list, nil
}

func readPlan(path string) (p vault.Plan, err error) {
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return p, err
}

// restorePlans restores the plans of the server and of services. kept names those that are
// others here, and stay.
func (x *restore) restorePlans(ctx context.Context) (kept []string, err error) {
	list, err := x.plans()
	if err != nil {
		return nil, err
	}
	manager := &services.Manager{Store: x.Server.Env.Store}
	for _, p := range list {
		v := Job(x.Server, "", event.Log{}).Vault
		if p.ref.Name != "" {
			svc := &services.Service{Kind: p.ref.Kind, Name: p.ref.Name}
			v.Dir = waiting(x.Server, p.ref)
			if k, kerr := manager.Kind(p.ref.Kind); kerr == nil {
				if here, herr := manager.Load(k, p.ref.Name); herr == nil {
					svc = here
					v = vaultOf(x.Server, svc)
				}
			}
		}
		have, err := v.Plan()
		if err != nil {
			return nil, err
		}
		if err := x.public(&p.plan, p.about); err != nil {
			return nil, err
		}
		since := p.plan.Since
		p.plan.Since = have.Since
		switch {
		case reflect.DeepEqual(have, p.plan):
			continue
		case !reflect.DeepEqual(have, vault.Plan{}) && !x.o.Force:
			kept = append(kept, p.about)
			continue
		}
		p.plan.Since = since
		if err := v.Change(ctx, time.Now(), func(to *vault.Plan) error { *to = p.plan; to.Since = time.Now(); return nil }); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// restoreMountPlans makes the plans of an app's mounts count from now on: the folders are
// restored by storage:restore, if at all.
func (x *restore) restoreMountPlans(name string) error {
	plans, err := filepath.Glob(x.app(name, "dokku", Folder, "*", vault.PlanFile))
	for _, path := range plans {
		var p vault.Plan
		if p, err = readPlan(path); err != nil {
			return inBackup(x.dir, err)
		}
		if err := x.public(&p, "a backup plan of "+name); err != nil {
			return err
		}
		p.Since = time.Now()
		data, err := json.Marshal(p)
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// public takes out of a plan what nobody may set over ssh: folders of this server, its role
// and addresses that only it reaches.
func (x *restore) public(p *vault.Plan, about string) error {
	if x.o.OnHost || x.proves {
		return nil
	}
	set, err := x.Server.Settings()
	if err != nil {
		return err
	}
	p.Access.Public = p.Access != (vault.Access{}) && !set.PrivateHooks
	var out []string
	if p.Place != "" && !vault.InS3(p.Place) {
		out = append(out, "its folder "+p.Place)
		p.Place = ""
	}
	if p.Access.IAM {
		out = append(out, "the role of the machine")
		p.Access = vault.Access{}
	}
	if out != nil {
		x.note("%s is restored without %s, which cannot be set over ssh: restore it on the server, or set it there", about, strings.Join(out, " and "))
	}
	return nil
}
