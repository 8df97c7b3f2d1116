package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"dokku/agent/disk"
	"dokku/agent/event"
	"dokku/build/source"
)

// A Fetcher brings what a revision names but its repository does not have into the app's
// cache. The caller holds the app's lock.
type Fetcher struct {
	Hosts Hosts
	// Cache is the folder of the app's cache, see package comment. It need not exist.
	Cache string
	Disk  disk.Disk
	// Staging makes a folder on the same file system for one fetch; done removes it.
	Staging func() (dir string, done func(), err error)
	// At is called before each change of the cache; its error prevents the change.
	At func(what string) error
	// Limit is that of all that is fetched for a revision: its submodules and what Git LFS has.
	Limit Limit
	// Packs are the limits of a submodule's objects, and Memory is that of the gits (see Git).
	Packs  source.PackLimits
	Memory int64
	// Upstream is the address that the app's repository was fetched from; "": it was pushed.
	Upstream string
	// Offline: what is not in the cache is missing.
	Offline bool
	// CheckOnly: addresses are checked, and nothing is fetched.
	CheckOnly bool
	Log       event.Log

	used []string  // names in the cache
	end  time.Time // of all fetches; zero: none has begun
}

// PropMaxSize is the server's setting of Fetcher.Limit, in bytes.
const (
	PropMaxSize    = "fetch-max-size"
	DefaultMaxSize = 2 << 30
)

// within is the context of a fetch. All fetches for a revision have one Timeout together: the app is
// locked meanwhile.
func (f *Fetcher) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.end.IsZero() {
		f.end = time.Now().Add(Timeout)
	}
	return context.WithDeadlineCause(ctx, f.end, fmt.Errorf("fetching what the revision names took longer than %s; push again, for what was fetched is kept", Timeout))
}

// short is how many digits of a commit messages show.
const short = 7

// Submodule returns the objects of a submodule's commit. Its URL is checked in any case, so
// that a revision is refused or not whatever the cache has.
func (f *Fetcher) Submodule(ctx context.Context, m source.Submodule) (source.Repository, error) {
	a, err := f.address(m)
	if err == nil && f.CheckOnly {
		return source.Repository{}, nil
	}
	if err == nil {
		var dir string
		if dir, err = f.commit(ctx, m, a); err == nil {
			return source.Repository{Objects: dir, URL: a.Text}, nil
		}
	}
	if ctx.Err() != nil {
		return source.Repository{}, err
	}
	return source.Repository{}, fmt.Errorf("its URL in %s, line %d, is %s: %w", m.File, m.Line, Hidden(m.URL), err)
}

// address returns the whole address of a submodule.
func (f *Fetcher) address(m source.Submodule) (a Address, err error) {
	text := m.URL
	if IsRelative(text) {
		base := m.Base
		if base == "" {
			base = f.Upstream
		}
		if base == "" {
			return a, errors.New("it is relative to the repository's own address, which a pushed revision does not have: " +
				"give the whole address, or deploy the repository with dokku git:sync")
		}
		if text, err = Resolve(base, text); err != nil {
			return a, err
		}
	}
	if a, err = Parse(text); err == nil && a.Scheme == schemeGit {
		err = errGitScheme
	}
	return a, err
}

var errGitScheme = errors.New("git: neither encrypts nor asks who you are, and is not fetched from: give an address of https or ssh")

// commit returns the folder with the objects of a commit. One in the cache is whole: it got
// its name after its objects were on the disk.
func (f *Fetcher) commit(ctx context.Context, m source.Submodule, a Address) (string, error) {
	name := filepath.Join(dirCommits, m.Commit)
	dir := filepath.Join(f.Cache, name)
	if f.has(name) {
		return dir, nil
	}
	if f.Offline {
		return "", errors.New("it was not fetched")
	}
	if a.Scheme == schemeSSH {
		if known, err := f.Hosts.Trusts(a.Host); err != nil || !known {
			return "", errors.Join(err, &hostError{host: a.Host})
		}
	}
	if err := f.At("fetch a submodule"); err != nil {
		return "", err
	}
	work, done, err := f.Staging()
	if err != nil {
		return "", err
	}
	defer done()
	f.Log.Step("Fetching %s %s from %s", printable(m.Path), m.Commit[:short], a.Shown)
	busy := f.Log.Busy("fetching %s", a.Shown)
	err = f.fetch(ctx, work, m.Commit, a)
	busy()
	if err != nil {
		return "", err
	}
	objects := filepath.Join(work, "objects")
	if err := source.CheckReceived(ctx, source.Options{ObjectDir: objects}, f.Packs); err != nil {
		return "", fmt.Errorf("cannot take it: %w", err)
	}
	f.Limit.used += sizeOf(objects)
	return dir, f.keep(objects, name)
}

// printable is a path for a message.
func printable(path string) string { return event.OneLine(path) }

// fetch brings a commit, without its history where the server can do that. Not every
// server sends a commit that no branch ends at; then all branches and tags come.
func (f *Fetcher) fetch(ctx context.Context, work, commit string, a Address) error {
	if err := newRepository(work); err != nil {
		return err
	}
	limited, cancel := f.within(ctx)
	defer cancel()
	g := Git{Dir: work, Home: f.Hosts.Home, Limit: f.Limit, Memory: f.Memory}
	if a.Scheme == schemeSSH {
		return f.bring(limited, g, commit, a)
	}
	t, err := openTunnel(f.Hosts)
	if err != nil {
		return err
	}
	defer t.Close()
	g.Settings = append(g.Settings, "http.proxy="+t.url())
	if err = f.bring(limited, g, commit, a); err != nil {
		err = cmp.Or(t.first(), err)
	}
	return err
}

func (f *Fetcher) bring(ctx context.Context, g Git, commit string, a Address) error {
	_, err := g.Run(ctx, append(FetchArgs("--depth=1"), a.Text, commit+":refs/fetched/commit")...)
	var failed *Failure
	if errors.As(err, &failed) && failed.Has("not our ref", "unadvertised object", "dumb http", "shallow", "does not support") {
		_, err = g.Run(ctx, append(FetchArgs(), a.Text, "+refs/heads/*:refs/fetched/heads/*", "+refs/tags/*:refs/fetched/tags/*")...)
	}
	if err == nil {
		if _, err = g.Run(ctx, "cat-file", "-e", commit+"^{commit}"); errors.As(err, &failed) {
			return fmt.Errorf("the repository has no commit %s: push it there, or let the submodule name another one", commit)
		}
	}
	if !errors.As(err, &failed) {
		return err
	}
	host := hostname(a.Host)
	if u, err := url.Parse(a.Text); err == nil {
		host = stored(u)
	}
	return fmt.Errorf("%w%s", failed, failed.Advice(host))
}

// newRepository makes a bare repository.
func newRepository(dir string) error {
	for _, sub := range []string{"objects/info", "objects/pack", "refs"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"config": "[core]\n\trepositoryformatversion = 0\n\tbare = true\n", "HEAD": "ref: refs/heads/main\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// A hostError is the error of a host from which nothing may be fetched. why is the reason
// beside the missing permission.
type hostError struct {
	host string
	why  error
}

func (e *hostError) Error() string {
	if e.why == nil {
		return fmt.Sprintf("the host is not allowed: to trust its key, dokku git:allow-host %s", e.host)
	}
	return fmt.Sprintf("the host %s is not allowed, and %s: to allow it, dokku git:auth %[1]s USER PASSWORD", e.host, strings.TrimSpace(e.why.Error()))
}
