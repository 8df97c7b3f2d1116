package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/remote"
	"dokku/agent/repo"
)

// Sync is the input of Sync.
type Sync struct {
	Remote string
	Ref    string // a branch, a tag or a commit; "": the deploy branch
	// Build deploys the result. Else only the branch moves, as in Dokku.
	Build bool
	// IfChanged: with Build, deploy nothing if the branch did not move.
	IfChanged bool
	// KeepBranch: a branch Ref does not become the app's deploy branch.
	KeepBranch bool
}

// Sync moves an app's deploy branch to a commit of another repository. A remote that was
// rewritten moves it too, as a forced push would.
func (i *Importer) Sync(ctx context.Context, name string, s Sync, log event.Log) error {
	r, err := remote.Parse(s.Remote)
	if err != nil {
		return fmt.Errorf("cannot sync with %q: %w", remote.Hidden(s.Remote), err)
	}
	if err := checkRef(s.Ref); err != nil {
		return err
	}
	var reach *remote.Reach
	if i.Bounded {
		if reach, err = i.hosts().Reach(r); err != nil {
			return fmt.Errorf("cannot sync with %s: %w", r.Shown, err)
		}
		defer reach.Close()
	}
	t, err := i.target(name, "")
	if err != nil {
		return err
	}
	dir, done, err := i.staging(t)
	if err != nil {
		return err
	}
	defer done()
	if t.tip == "" {
		log.Step("Cloning %s from %s#%s", name, r.Shown, s.Ref)
	} else {
		log.Detail("Fetching remote code for %s from %s#%s", name, r.Shown, s.Ref)
	}
	limit, err := i.packLimit()
	memory := int64(0)
	if err == nil {
		var set app.Settings
		if set, err = i.Server.Settings(); err == nil {
			memory, err = set.GitLimit(repo.PropMemory, repo.DefaultMemory)
		}
	}
	if err == nil {
		err = i.Server.Env.CheckSpace("sync", log)
	}
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeoutCause(ctx, remote.Timeout, fmt.Errorf("fetching %s took longer than %s", r.Shown, remote.Timeout))
	fetching := log.Busy("fetching %s", r.Shown)
	in := remote.Git{Dir: dir, Home: i.Server.Env.Store.Root, Limit: limit, Memory: memory, Settings: reach.Settings()}
	found, err := (&fetcher{ctx: limited, in: in, remote: r, reach: reach}).fetch(s.Ref, t)
	fetching()
	cancel()
	if err != nil {
		return err
	}
	if found.branch != "" && t.adopt != "" && !s.KeepBranch {
		if t, err = i.target(name, found.branch); err != nil {
			return err
		}
		log.Detail("Detected branch, setting deploy-branch to %s", found.branch)
	}
	return i.finish(ctx, t, dir, found, s, r, log)
}

// finish pushes what was fetched.
func (i *Importer) finish(ctx context.Context, t target, dir string, found fetched, s Sync, r remote.Address, log event.Log) error {
	o := deploy.Origin{Command: "git:sync", SkipDeploy: !s.Build,
		Source: app.Source{Kind: app.SourceSync, From: r.Shown + "#" + cmp.Or(s.Ref, found.commit)}}
	if found.commit != t.tip {
		return i.push(ctx, t, dir, found.commit, o)
	}
	if s.Build && s.IfChanged {
		log.Detail("Skipping build as no changes were detected")
	} else if s.Build {
		return i.Server.Rebuild(ctx, t.app.Name, log)
	}
	return i.note(ctx, t, found.commit, o)
}

var refName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/@+#-]*$`)

func checkRef(ref string) error {
	if ref != "" && (!refName.MatchString(ref) || strings.Contains(ref, "..") || strings.Contains(ref, "@{")) {
		return fmt.Errorf("cannot sync with %q: it is not the name of a branch or a tag, nor a commit", event.OneLine(ref))
	}
	return nil
}

// fetched is what a fetch has brought.
type fetched struct {
	commit string
	branch string // the branch of the remote that it is the tip of; "": a tag or a commit
}

// A fetcher runs git on a repository of another server.
type fetcher struct {
	ctx    context.Context
	in     remote.Git
	remote remote.Address
	reach  *remote.Reach
}

var commitID = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// fetch brings the commit of a ref into the repository.
func (f *fetcher) fetch(ref string, t target) (fetched, error) {
	refs, head, err := f.list()
	if err != nil {
		return fetched{}, err
	}
	if len(refs) == 0 {
		return fetched{}, fmt.Errorf("cannot sync with %s: the repository is empty", f.remote.Shown)
	}
	if ref == "" {
		ref = t.branch
		if t.adopt != "" && refs[deploy.Heads+ref] == "" {
			ref = cmp.Or(head, ref) // the remote's own main branch
		}
	}
	for _, full := range []string{deploy.Heads + ref, "refs/tags/" + ref, ref} {
		if refs[full] == "" {
			continue
		}
		commit, err := f.bring(full)
		branch, _ := strings.CutPrefix(full, deploy.Heads)
		if !strings.HasPrefix(full, deploy.Heads) {
			branch = ""
		}
		return fetched{commit, branch}, err
	}
	if commitID.MatchString(ref) {
		commit, err := f.bringCommit(ref)
		return fetched{commit: commit}, err
	}
	return fetched{}, fmt.Errorf("cannot sync with %s#%s: %w", f.remote.Shown, ref, errNotFound)
}

// list returns the remote's refs and the branch that its HEAD names.
func (f *fetcher) list() (refs map[string]string, head string, err error) {
	out, err := f.git("ls-remote", "--symref", "--", f.remote.Text)
	if err != nil {
		return nil, "", err
	}
	refs = map[string]string{}
	for line := range strings.Lines(out) {
		id, name, _ := strings.Cut(strings.TrimSpace(line), "\t")
		if to, ok := strings.CutPrefix(id, "ref: "+deploy.Heads); ok && name == "HEAD" {
			head = to
		} else if strings.HasPrefix(name, "refs/") {
			refs[name] = id
		}
	}
	return refs, head, nil
}

// bring fetches one ref and returns its commit.
func (f *fetcher) bring(full string) (string, error) {
	if _, err := f.git(f.fetchArgs("+" + full + ":refs/sync")...); err != nil {
		return "", err
	}
	return f.commit("refs/sync")
}

// bringCommit fetches a commit. Not every server sends a commit by its id, and none one by
// a part of it, so all branches and tags come then.
func (f *fetcher) bringCommit(id string) (string, error) {
	if len(id) == 40 {
		_, err := f.git(f.fetchArgs("+" + id + ":refs/sync")...)
		if tooLarge := (*remote.LimitError)(nil); errors.As(err, &tooLarge) {
			return "", err
		}
		if err == nil {
			return f.commit("refs/sync")
		}
	}
	if _, err := f.git(f.fetchArgs("+refs/heads/*:refs/sync/heads/*", "+refs/tags/*:refs/sync/tags/*")...); err != nil {
		return "", err
	}
	commit, err := f.commit(id)
	if err != nil {
		return "", fmt.Errorf("cannot sync with %s#%s: %w", f.remote.Shown, id, errNotFound)
	}
	return commit, nil
}

func (f *fetcher) fetchArgs(specs ...string) []string {
	return append(append(remote.FetchArgs(), f.remote.Text), specs...)
}

// commit returns the commit that a name means, of a tag too.
func (f *fetcher) commit(name string) (string, error) {
	out, err := f.git("rev-parse", "--verify", "--quiet", "--end-of-options", name+"^{commit}")
	return strings.TrimSpace(out), err
}

// errNotFound says that a repository has no such branch, tag or commit.
var errNotFound = errors.New("the repository has no such branch, tag or commit")

// git runs git in the repository.
func (f *fetcher) git(args ...string) (string, error) {
	out, err := f.in.Run(f.ctx, args...)
	var failed *remote.Failure
	var tooLarge *remote.LimitError
	refused := f.reach.Explain(err)
	switch {
	case errors.As(err, &tooLarge), refused != err:
		err = fmt.Errorf("cannot sync with %s: %w", f.remote.Shown, refused)
	case errors.As(err, &failed):
		err = fmt.Errorf("cannot sync with %s: %w%s", f.remote.Shown, err, failed.Advice(f.remote.Host))
	}
	return out, err
}
