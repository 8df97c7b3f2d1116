package deploy

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/storage/filesystem"

	"dokku/agent/app"
	"dokku/agent/failpoint"
	"dokku/agent/repo"
	"dokku/build/source"
)

// Push is the input of git's pre-receive hook.
type Push struct {
	App  string
	Refs []Ref
	// Objects locates the pushed objects: git's quarantine.
	Objects source.Options
	// Origin is the command of this server that made the push; nil: a client's git.
	Origin *Origin
	// Options are what the pusher asks for with git push -o.
	Options PushOptions
}

// Ref is one line of pre-receive's input: a ref's name with its old and new object id,
// ZeroID if the ref does not exist.
type Ref struct{ Old, New, Name string }

const (
	// ZeroID is git's id of a missing object.
	ZeroID = "0000000000000000000000000000000000000000"
	// Heads is the prefix of the refs of branches.
	Heads = "refs/heads/"
)

// Prepare prepares the release of the pushed ref that deploys. A push without such a
// ref succeeds and deploys nothing.
func (x *Session) Prepare(ctx context.Context, p Push) error {
	if p.Options.Plan {
		return x.foresee(ctx, p)
	}
	if x.State.Locked {
		return LockedError(p.App)
	}
	ref, adopt, err := x.deployRef(p.Refs, p.Origin.adopts())
	if err != nil || ref == nil {
		return err
	}
	if p.Origin != nil && p.Origin.SkipDeploy {
		return nil
	}
	if x.View().Property(app.PropSkipDeploy) == "true" {
		x.Log.Warn("%s is not deployed, since skip-deploy is set; to deploy it: dokku ps:rebuild %s", app.Short(ref.New), x.Name)
		return nil
	}
	return (&push{session: x, ref: *ref, others: p.Refs, objects: p.Objects, adopt: adopt, origin: p.Origin, options: p.Options}).prepare(ctx)
}

// A push deploys one ref, up to the point where git decides.
type push struct {
	session *Session
	ref     Ref
	others  []Ref // all of the push
	objects source.Options
	// adopt becomes the deploy branch when git accepts the push; "": it stays.
	adopt   string
	origin  *Origin
	options PushOptions
}

// prepare does all the steps of a push that can fail.
func (p *push) prepare(ctx context.Context) (err error) {
	x := p.session
	if err := p.ready(ctx); err != nil {
		return err
	}
	if err := p.acceptable(); err != nil {
		return err
	}
	ctx, end := x.logDeploy(ctx, app.Deploy{Number: p.origin.deploy(), Cause: p.origin.cause(), Revision: p.ref.New, Message: p.options.Message})
	defer func() {
		err = x.tellKept(unchanged(x, x.cancelled(ctx, err)))
		end(err)
	}()
	if p.adopt != "" {
		x.Log.Step("Set %s as deploy-branch", p.adopt)
	}
	if tip, err := RolledBack(x.View()); err == nil && tip != "" {
		x.Log.Step("v%d (%s) serves since a rollback from %s: this push ends that", x.Current.Number, x.Current.Short(), app.Short(tip))
	}
	start := time.Now()
	x.noWait = p.options.NoWait
	r, err := x.build(ctx, p.objects, p.ref, p.origin.cause(), p.origin.source())
	if err != nil {
		x.discard(ctx)
		return err
	}
	r.Message = p.options.Message
	x.Log.Step("Releasing %s v%d", x.Name, r.Number)
	x.skipChecks(r, p.options.SkipChecks)
	o, err := x.rollout(r)
	if err != nil {
		x.discard(ctx)
		return err
	}
	if err = o.deploy(ctx); err == nil {
		o.describe()
		err = p.stageRecord(r, start)
	}
	if err != nil {
		err = o.report(ctx, err)
		o.undo(ctx)
	}
	return err
}

// stageRecord saves the release and records durably that git may accept it. After a
// crash behind this point the ref decides: see settle.
func (p *push) stageRecord(r *app.Release, start time.Time) error {
	x := p.session
	owner, err := x.Env.Owner()
	if err != nil {
		return err
	}
	if err := x.Env.Store.SaveRelease(x.Name, r); err != nil {
		return err
	}
	if err := failpoint.Reach(failpoint.ReleaseWritten); err != nil {
		return err
	}
	x.Change(func(st *app.State) {
		st.Staged = &app.Staged{Release: r.Number, Ref: p.ref.Name, Old: p.ref.Old, New: p.ref.New,
			Adopt: p.adopt, Owner: owner, Since: time.Now().UTC(), Started: start.UTC(), Log: x.deployLog}
	})
	if err := x.Save(); err != nil {
		x.State.Staged, x.dirty = nil, false
		return err
	}
	_ = failpoint.Reach(failpoint.StagedWritten) // nothing after this fails
	return nil
}

// ready refuses a push that git would refuse after the build, and removes the leftovers
// of an interrupted push.
func (p *push) ready(ctx context.Context) error {
	x, ref := p.session, p.ref
	tip, err := repo.Ref(x.Dir, ref.Name)
	if err != nil {
		return err
	}
	branch := strings.TrimPrefix(ref.Name, Heads)
	if tip == "" {
		tip = ZeroID
	}
	if tip != ref.Old {
		return p.overtaken(tip)
	}
	owner, err := x.Env.Owner()
	if err != nil {
		return err
	}
	if err := repo.Sweep(x.Dir, owner); err != nil {
		x.Log.Warn("Cannot remove the leftovers of an interrupted push: %s", err)
	}
	if _, err := os.Lstat(filepath.Join(x.Dir, ref.Name+".lock")); err == nil {
		return fmt.Errorf("%s is locked by another git process (%s.lock exists); push again in a moment", branch, ref.Name)
	}
	if x.Env.Store.AgentRuns() {
		return nil // the agent converges apps, and With has converged an abandoned one
	}
	if err := x.tidy(ctx); err != nil {
		x.Log.Warn("The app has not converged; the push continues: %s", err)
	}
	return nil
}

// acceptable refuses before the build what git would refuse after it, whatever else happens
// meanwhile.
func (p *push) acceptable() error {
	if p.ref.Old == ZeroID {
		return p.unobstructed()
	}
	return p.fastForward()
}

// unobstructed refuses a new branch that git cannot create beside another one.
func (p *push) unobstructed() error {
	branch := strings.TrimPrefix(p.ref.Name, Heads)
	for _, r := range p.others {
		if r.New != ZeroID && repo.Obstructs(r.Name, p.ref.Name) {
			return fmt.Errorf("git cannot create both %s and %s; push one of them alone", branch, strings.TrimPrefix(r.Name, Heads))
		}
	}
	other, err := repo.Obstacle(p.session.Dir, p.ref.Name)
	if err != nil || other == "" {
		return err
	}
	other = strings.TrimPrefix(other, Heads)
	return fmt.Errorf("git cannot create %s beside the branch %s, which exists on the server; remove that (git push REMOTE --delete %[2]s), and push again",
		branch, other)
}

// fastForward refuses a forced push before the build if the repository's configuration
// makes git refuse it afterwards.
func (p *push) fastForward() error {
	x, ref := p.session, p.ref
	cfg, err := filesystem.NewStorage(osfs.New(x.Dir), cache.NewObjectLRU(0)).Config()
	if err != nil {
		return fmt.Errorf("cannot read the configuration of %s: %w", x.Dir, err)
	}
	deny := cfg.Raw.Section("receive").Option("denyNonFastForwards")
	if on, err := strconv.ParseBool(deny); !on && (err == nil || deny != "yes" && deny != "on") {
		return nil
	}
	src, err := source.Open(p.objects)
	if err != nil {
		return err
	}
	defer src.Close()
	forward, err := src.IsAncestor(ref.Old, ref.New)
	if err == nil && !forward {
		err = fmt.Errorf("cannot force a push to %s: receive.denyNonFastForwards is set in %s/config; merge %s and push again",
			strings.TrimPrefix(ref.Name, Heads), x.Dir, app.Short(ref.Old))
	}
	return err
}

// overtaken is the error of a push whose branch another one has moved. A detached push that
// follows that one goes on behind it.
func (p *push) overtaken(tip string) error {
	if p.origin.deploy() == 0 || tip == ZeroID || tip == p.ref.New {
		return movedError(p.ref, tip)
	}
	src, err := source.Open(p.objects)
	if err != nil {
		return err
	}
	defer src.Close()
	follows, err := src.IsAncestor(tip, p.ref.New)
	if err != nil || !follows {
		return cmp.Or(err, movedError(p.ref, tip))
	}
	return &OvertakenError{p.ref.Name, tip}
}

// OvertakenError is the error of a detached push whose branch has moved to Tip, from which
// a push of the same revision would still be a step forward.
type OvertakenError struct{ Ref, Tip string }

func (e *OvertakenError) Error() string {
	return fmt.Sprintf("%s has moved to %s, and this push follows it", strings.TrimPrefix(e.Ref, Heads), app.Short(e.Tip))
}

// movedError says that another push was faster. It may have been the same one, detached.
func movedError(ref Ref, tip string) error {
	branch := strings.TrimPrefix(ref.Name, Heads)
	if tip == ref.New {
		return fmt.Errorf("%s is at %s already: another push of it was accepted while this one waited", branch, app.Short(tip))
	}
	return fmt.Errorf("%s moved while this push waited; fetch and push again", branch)
}

// deployRef returns the ref whose push deploys; nil if none does. adopt is the branch
// that becomes the deploy branch with this push; wanted is the branch that its command
// names for that.
func (x *Session) deployRef(refs []Ref, wanted string) (ref *Ref, adopt string, err error) {
	ref, branch, adopt := chooseRef(x.View(), refs, wanted)
	switch {
	case ref != nil && ref.New == ZeroID:
		return nil, "", fmt.Errorf("cannot delete %s, the deploy branch of %s; to remove the app: dokku apps:destroy %[2]s", branch, x.Name)
	case ref != nil:
		return ref, adopt, nil
	case slices.ContainsFunc(refs, func(r Ref) bool { return r.New != ZeroID }):
		branch = cmp.Or(branch, "main")
		x.Log.Warn("WARNING: deploy did not complete, you must push to %s.", branch)
		x.Log.Step("for example, try 'git push <dokku> %s:%s'", example(refs), branch)
	}
	return nil, "", nil
}

// chooseRef returns the ref of the deploy branch, which the push may delete; nil without it.
// branch is "" if the app has no deploy branch and the push gives it none.
func chooseRef(v app.View, refs []Ref, wanted string) (ref *Ref, branch, adopt string) {
	branch = v.DeployBranch()
	if branch == "" && wanted != "" {
		branch, adopt = wanted, wanted
	}
	for _, want := range []string{"main", "master"} {
		if branch == "" && slices.ContainsFunc(refs, func(r Ref) bool { return r.Name == Heads+want && r.New != ZeroID }) {
			branch, adopt = want, want
		}
	}
	for _, r := range refs {
		if branch != "" && r.Name == Heads+branch {
			return &r, branch, adopt
		}
	}
	return nil, branch, adopt
}

// Deploying reports whether a push would deploy something, as far as the app tells without
// its lock.
func Deploying(v app.View, p Push) bool {
	ref, _, _ := chooseRef(v, p.Refs, p.Origin.adopts())
	return ref != nil && ref.New != ZeroID && !p.Options.Plan && !v.State.Locked &&
		(p.Origin == nil || !p.Origin.SkipDeploy) && v.Property(app.PropSkipDeploy) != "true"
}

// example returns a pushed branch for the hint how to deploy it.
func example(refs []Ref) string {
	for _, r := range refs {
		if name, ok := strings.CutPrefix(r.Name, Heads); ok && r.New != ZeroID {
			return name
		}
	}
	return "HEAD"
}

// DefaultBranch is the deploy branch of code that comes without a branch, for an app that
// has no deploy branch yet. It is Dokku's. A first push of main makes that the deploy branch.
const DefaultBranch = "master"

// Pushed returns the revision of the deploy branch, "" before the first push. If the
// app has no deploy branch yet, adopt is the branch that a deploy would make it.
func Pushed(a app.View) (adopt, revision string, err error) {
	if b := a.DeployBranch(); b != "" {
		revision, err = repo.Ref(a.Dir, Heads+b)
		return "", revision, err
	}
	for _, b := range []string{"main", "master"} {
		if revision, err = repo.Ref(a.Dir, Heads+b); err != nil || revision != "" {
			return b, revision, err
		}
	}
	return "", "", nil
}

// Undeployed returns the revision that was pushed but not deployed (skip-deploy); "" if
// there is none.
func Undeployed(a app.View) (string, error) {
	_, revision, err := Pushed(a)
	if err != nil {
		return "", fmt.Errorf("cannot read the revision that was pushed to %s: %w", a.Name, err)
	}
	if a.Current != nil && a.Current.Revision == revision || a.State.Staged != nil {
		return "", nil
	}
	return revision, nil
}
