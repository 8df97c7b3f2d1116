package backup

import (
	"context"
	"io"
	"path/filepath"

	"dokku/agent"
	"dokku/agent/event"
	"dokku/agent/services"
	"dokku/agent/vault"
)

// ServiceJob is the backup of a service, as Manager.Export dumps it. base is the plan of the
// server.
func ServiceJob(s *agent.Server, k services.Kind, svc *services.Service, base vault.Plan, log event.Log) vault.Job {
	root := (&services.Manager{Store: s.Env.Store}).Root(svc.Ref())
	return vault.Job{About: "the " + k.Title + " service " + svc.Name, Try: "dokku " + k.Name + ":backup " + svc.Name, Base: base,
		Vault: vault.Vault{Dir: filepath.Join(root, Folder), Disk: s.Env.Store.Disk},
		Source: vault.Source{Item: k.Name + "/" + svc.Name, Extension: ".dump",
			Dump: func(ctx context.Context, w io.Writer) error {
				m, err := s.Services()
				if err != nil {
					return err
				}
				return m.Export(ctx, k, svc, w)
			},
			Prove: func(ctx context.Context, r io.Reader) (string, error) {
				m, err := s.Services()
				if err != nil {
					return "", err
				}
				return m.Prove(ctx, k, svc, r, log)
			}}}
}

// serviceJobs are the services that have a plan or a backup.
func serviceJobs(s *agent.Server, base vault.Plan, log event.Log) (list []vault.Job, err error) {
	kinds, err := services.Kinds(services.KindsDir(s.Env.Store))
	if kinds == nil {
		return nil, err
	}
	m := &services.Manager{Store: s.Env.Store}
	for _, k := range kinds { // a kind that cannot be read is the doctor's
		all, err := m.List(k)
		if err != nil {
			continue // the doctor says so
		}
		for _, svc := range all {
			if j := ServiceJob(s, k, svc, base, log); j.Exists() {
				list = append(list, j)
			}
		}
	}
	return list, nil
}
