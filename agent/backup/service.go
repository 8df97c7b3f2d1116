package backup

import (
	"context"
	"fmt"
	"io"

	"dokku/agent"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/services"
	"dokku/agent/vault"
	"dokku/build/source"
)

// ServiceJob is the backup of a service, as Manager.Export dumps it. base is the plan of the
// server.
func ServiceJob(s *agent.Server, k services.Kind, svc *services.Service, base vault.Plan, log event.Log) vault.Job {
	return vault.Job{About: "the " + k.Title + " service " + svc.Name, Try: "dokku " + k.Name + ":backup " + svc.Name, Base: base,
		Vault: vaultOf(s, svc),
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
				in := &roomReader{r: r, env: s.Env}
				found, err := m.Prove(ctx, k, svc, in, log)
				if in.err != nil { // the end of the input alone is no failure to every program
					return "", in.err
				}
				return found, err
			}}}
}

// A roomReader ends a proof before it fills the disk: the throwaway service has its data on
// the disk of all databases.
type roomReader struct {
	r     io.Reader
	env   *deploy.Env
	until int64 // bytes that may be read before the next look
	err   error // why it ended before its end
}

// roomLook is the number of bytes between two looks at the free space.
const roomLook = 4 << 20

func (r *roomReader) Read(p []byte) (int, error) {
	if r.until <= 0 {
		if free := r.env.Room(); free < deploy.LowSpace {
			r.err = fmt.Errorf("the server's disk is nearly full (%s left): the proof would fill it", source.Bytes(free))
			return 0, r.err
		}
		r.until = roomLook
	}
	n, err := r.r.Read(p)
	r.until -= int64(n)
	return n, err
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
