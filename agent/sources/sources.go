package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/remote"
	"dokku/agent/repo"
)

// Importer makes commits of what was not pushed, and pushes them into apps.
type Importer struct {
	Server *agent.Server
	// Output is where pushes print.
	Output Output
	// Send pushes a commit; nil: git push. Tests replace it.
	Send func(context.Context, Push) error
	// Bounded: the addresses come from somebody who is no admin, so that this server asks for him only
	// hosts that an administrator allowed and those of the public internet (see package remote).
	Bounded bool
}

// hosts are the servers that an administrator allowed.
func (i *Importer) hosts() remote.Hosts { return remote.Hosts{Home: i.Server.Env.Store.Root} }

// Author is who made a commit.
type Author struct{ Name, Email string }

// The author of commits when none is given, as in Dokku.
const (
	defaultName  = "Dokku"
	defaultEmail = remote.CommitterEmail
)

// signature returns git's form of the author.
func (a Author) signature() (object.Signature, error) {
	s := object.Signature{Name: cmp.Or(a.Name, defaultName), Email: cmp.Or(a.Email, defaultEmail), When: time.Now()}
	for _, text := range []string{s.Name, s.Email} {
		if strings.ContainsAny(text, "<>\n\r\x00") {
			return s, fmt.Errorf("cannot use %q as a commit's author: it must not contain < or > or a line break", event.OneLine(text))
		}
	}
	return s, nil
}

// A target is the branch of an app that a command is about to move.
type target struct {
	app    app.View
	branch string
	tip    string // "": the branch does not exist
	adopt  string // see deploy.Origin
}

// target reads the app. wanted becomes the deploy branch of an app that has none; "":
// main or master, whichever the app has, else deploy.DefaultBranch.
func (i *Importer) target(name, wanted string) (target, error) {
	t, err := i.look(name, wanted)
	if err == nil && t.app.State.Locked {
		return target{}, deploy.LockedError(name)
	}
	return t, err
}

// look is target for what deploys nothing.
func (i *Importer) look(name, wanted string) (target, error) {
	v, err := i.Server.View(name)
	if err != nil {
		return target{}, err
	}
	// The push refuses it too, but only after all has been fetched.
	if err := i.Server.Env.Store.RefuseNewer(name); err != nil {
		return target{}, err
	}
	t := target{app: v, branch: v.DeployBranch()}
	if t.branch == "" {
		adopt, tip, err := deploy.Pushed(v)
		if err != nil {
			return t, err
		}
		if tip == "" {
			adopt = deploy.DefaultBranch
		}
		t.branch = cmp.Or(wanted, adopt)
		t.adopt = t.branch
	}
	t.tip, err = repo.Ref(v.Dir, deploy.Heads+t.branch)
	return t, err
}

// limits returns the server's limits of archives.
func (i *Importer) limits() (Limits, error) {
	set, err := i.Server.Settings()
	if err != nil {
		return Limits{}, err
	}
	return limitsOf(set)
}

// staging creates a bare repository for the time of one command. It borrows the objects
// of the app. done removes it; after a kill, the next command or the agent does.
func (i *Importer) staging(t target) (dir string, done func(), err error) {
	dir, done, err = i.Server.Env.Store.Staging("source-")
	if err != nil {
		return "", nil, err
	}
	if err := borrow(dir, t.app.Dir); err != nil {
		done()
		return "", nil, err
	}
	return dir, done, nil
}

// borrow makes a bare repository of an empty folder that has the objects of another one.
func borrow(dir, from string) error {
	for _, sub := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return fmt.Errorf("cannot create a repository for the files: %w", err)
		}
	}
	for name, text := range map[string]string{
		"objects/info/alternates": filepath.Join(from, "objects") + "\n",
		"config":                  "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
		"HEAD":                    "ref: refs/heads/main\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("cannot create a repository for the files: %w", err)
		}
	}
	return nil
}

// ErrNoChanges is the error of a command whose commit would change nothing. The texts and
// the exit code are Dokku's.
var ErrNoChanges = errors.New("No changes detected, skipping git commit\n" + //lint:ignore ST1005 Dokku's own message
	"Call 'ps:rebuild' on app to rebuild the app from existing source")

// commit makes a commit of a tree on top of the target's branch and pushes it.
func (i *Importer) commit(ctx context.Context, t target, w *objects, tree plumbing.Hash, by Author, message string, o deploy.Origin) error {
	sig, err := by.signature()
	if err != nil {
		return err
	}
	c := &object.Commit{Author: sig, Committer: sig, Message: message, TreeHash: tree}
	if t.tip != "" {
		was, err := treeOf(t.app.Dir, t.tip)
		if err != nil {
			return err
		}
		if was == tree {
			return ErrNoChanges
		}
		c.ParentHashes = []plumbing.Hash{plumbing.NewHash(t.tip)}
	}
	id, err := w.commit(c)
	if err != nil {
		return fmt.Errorf("cannot commit the files: %w", err)
	}
	return i.push(ctx, t, w.dir, id.String(), o)
}

// push pushes a commit of the repository in dir to the target's branch.
func (i *Importer) push(ctx context.Context, t target, dir, commit string, o deploy.Origin) error {
	o.Adopt = t.adopt
	p := Push{App: t.app.Name, Repo: dir, Refs: []deploy.Ref{{Old: cmp.Or(t.tip, deploy.ZeroID), New: commit, Name: deploy.Heads + t.branch}}, Origin: o}
	send := i.Send
	if send == nil {
		send = i.git
	}
	if err := send(ctx, p); err != nil {
		return err
	}
	return i.note(context.WithoutCancel(ctx), t, commit, o)
}

// note stores what a push did not, because it was not deployed: the deploy branch of an app
// that has none, and where the commit came from. Killed before this, the same command does
// it again.
func (i *Importer) note(ctx context.Context, t target, commit string, o deploy.Origin) error {
	if t.adopt == "" && !o.SkipDeploy {
		return nil
	}
	a, err := i.Server.Load(t.app.Name)
	if err != nil {
		return err
	}
	synced := a.State.Synced
	if fetched := (app.Synced{Revision: commit, Source: o.Source}); o.SkipDeploy && (synced == nil || *synced != fetched) {
		synced = &fetched
	}
	if a.State.DeployBranch != "" && synced == a.State.Synced {
		return nil
	}
	return i.Server.Update(ctx, t.app.Name, deploy.Op{Name: "git:set"}, event.Log{}, func(st *app.State) error {
		st.DeployBranch, st.Synced = cmp.Or(st.DeployBranch, t.adopt), synced
		return nil
	})
}
