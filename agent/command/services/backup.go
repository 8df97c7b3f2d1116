package services

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"dokku/agent/backup"
	"dokku/agent/command/cli"
	"dokku/agent/command/vaults"
	"dokku/agent/services"
	"dokku/agent/vault"
)

// backups are the commands about kept backups of a kind's services.
func backups(k services.Kind) vaults.Noun {
	return vaults.Noun{
		Prefix: k.Name + ":backup-", Make: k.Name + ":backup", Words: "SERVICE ", About: "a " + k.Title + " service",
		Load: "It is what " + k.Name + ":export writes.", Missing: noName,
		Job: func(c *cli.Call) (vault.Job, error) {
			s, err := find(c, k)
			if err != nil {
				return vault.Job{}, err
			}
			c.Args = c.Args[1:]
			return job(c, k, s)
		},
	}
}

// job is the backup of a service.
func job(c *cli.Call, k services.Kind, s *services.Service) (vault.Job, error) {
	if !k.Dumps() {
		return vault.Job{}, services.ErrNoDump
	}
	base, err := backup.Job(c.Server, c.Env.Version, c.Events()).Plan()
	return backup.ServiceJob(c.Server, k, s, base, c.Events()), err
}

// lastProven says when the last proven backup of a service was made; "": there is none.
func lastProven(c *cli.Call, k services.Kind, s *services.Service) (string, error) {
	l, err := backup.ServiceJob(c.Server, k, s, vault.Plan{}, c.Events()).Log()
	b, ok := l.Last(vault.Proven)
	if err != nil || !ok {
		return "", err
	}
	return b.At.UTC().Format("2006-01-02T15:04:05Z") + " " + b.ID, nil
}

func restoreFlags(f *pflag.FlagSet) {
	createFlags(f)
	f.String("from", "", "the service that the backup is of, if its name is another one")
	f.String("identity", "", "the file with the private key of age or ssh; - is standard input")
}

// restore loads a kept backup into a new service, or with --force into one that is there.
func restore(c *cli.Call, k services.Kind) error {
	name, from := c.Args[0], c.Value("from")
	if name == "" {
		return cli.Refuse(noName)
	}
	if from == "" {
		from = name
	}
	for _, n := range []string{name, from} {
		if err := services.ValidName(n); err != nil {
			return err
		}
	}
	_, err := manager(c).Load(k, name)
	exists := err == nil
	if none := new(services.NoServiceError); err != nil && !errors.As(err, &none) {
		return err
	}
	if exists && !c.Force {
		return cli.Refuse("%s service %s already exists: --force loads the backup into it, over its data; or restore into a new one: dokku %s:restore NEW-SERVICE --from %s",
			k.Title, name, k.Name, from)
	}
	o, err := options(c)
	if err != nil {
		return err
	}
	if source, err := manager(c).Load(k, from); err == nil && o.Image == "" && !exists {
		o.Image = source.Container.Image // a dump need not load into another version
	}
	m, err := c.Server.Services()
	if err != nil {
		return err
	}
	j, err := job(c, k, &services.Service{Kind: k.Name, Name: from})
	if err != nil {
		return err
	}
	c.Args = c.Args[1:]
	s, plain, err := backups(k).Open(c, j)
	if err != nil {
		return err
	}
	defer s.Close()
	if plain == nil {
		return cli.Refuse("%s is encrypted: --identity FILE names its private key, or decrypt it with age and give it to %s:import", s.ID, k.Name)
	}
	log := c.Events()
	log.Step("Restoring %s from %s", name, s.ID)
	if exists {
		err = m.Import(c.Ctx, k, name, plain, log)
	} else {
		_, err = m.Restore(c.Ctx, k, name, o, io.Reader(plain), log)
	}
	if err != nil {
		return fmt.Errorf("cannot restore %s from %s: %w", name, s.ID, err)
	}
	log.Result("Restored %s from the backup %s", name, s.ID)
	return nil
}
