package backup

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/docker/go-units"

	"dokku/agent"
	"dokku/agent/backup/archive"
	"dokku/agent/event"
	"dokku/agent/keys"
	"dokku/agent/text"
	"dokku/agent/vault"
)

// Folder is the folder of the plan and the log of the server's backups, in the store's own.
const Folder = "backups"

// Jobs are all things whose backups may have a plan.
func Jobs(s *agent.Server, log event.Log) ([]vault.Job, error) {
	server := Job(s, "", log)
	base, err := server.Plan()
	if err != nil {
		return []vault.Job{server}, nil // whoever asks it for its plan finds the error
	}
	mounts, err := mountJobs(s, base)
	if err != nil {
		return nil, err
	}
	dumps, err := serviceJobs(s, base, log)
	return slices.Concat([]vault.Job{server}, mounts, dumps), err
}

// Job is the backup of the whole server at a place, as Write makes it. dokku is the version of
// this program.
func Job(s *agent.Server, dokku string, log event.Log) vault.Job {
	export := func(context.Context) ([]byte, error) { return keys.Export(s.Env.Store.Root) }
	return vault.Job{About: "the server", Try: "dokku backup:run", Vault: vault.Vault{Dir: s.Env.Store.Own(Folder, "server"), Disk: s.Env.Store.Disk},
		Source: vault.Source{Item: "server", Extension: ".tar.gz",
			Dump: func(ctx context.Context, w io.Writer) error {
				_, left, err := Write(ctx, s, BackupOptions{Dokku: dokku, Keys: export}, w, log)
				for _, line := range left {
					log.Note("%s", line)
				}
				return err
			},
			Prove: func(ctx context.Context, r io.Reader) (string, error) { return Prove(ctx, s, r) }}}
}

// Prove does all that a restore of a backup does before it changes anything: it unpacks the
// file, checks each member's hash, reads all states and has git check each repository. It says
// what it found.
func Prove(ctx context.Context, s *agent.Server, r io.Reader) (found string, err error) {
	in := bufio.NewReaderSize(r, 1<<16)
	if err := archive.Begins(in); err != nil {
		return "", err
	}
	dir, done, err := s.Env.Store.Staging("prove-")
	if err != nil {
		return "", err
	}
	defer done()
	x := &restore{Server: s, dir: dir, proves: true, ids: map[string]map[int]images{}, done: map[string]bool{}, ran: map[string]bool{}}
	if x.m, err = archive.Read(ctx, in, dir, x.accept); err == nil {
		err = x.verify(ctx)
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %s unpacked", text.Plural(len(x.m.Apps), "app"), units.HumanSize(float64(x.m.Size()))), nil
}
