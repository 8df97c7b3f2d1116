package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/repo"
	"dokku/build/source"
)

// CheckBudgets refuses a push that brings more than the app's budgets allow, on whatever
// refs. It needs no lock, and comes before one: whoever holds the lock must not wait for
// what a stranger has pushed to be counted.
func (e *Env) CheckBudgets(ctx context.Context, p Push) error {
	a, err := e.Store.Load(p.App)
	if err != nil {
		return err
	}
	set, err := e.Store.Settings()
	if err != nil {
		return err
	}
	v := app.View{App: a, Settings: set}
	if err := checkRefs(v, p.Refs); err != nil {
		return err
	}
	packs, err := v.PackLimits()
	if err != nil {
		return err
	}
	if err := source.CheckReceived(ctx, p.Objects, packs); err != nil {
		return fmt.Errorf("cannot accept this push to %s: %w", p.App, err)
	}
	if _, err := e.checkQuota(ctx, v); err != nil {
		return fmt.Errorf("cannot accept this push: %w", err)
	}
	trees, err := v.TreeLimits()
	if err != nil {
		return err
	}
	src, err := source.Open(p.Objects)
	if err != nil {
		return err
	}
	defer src.Close()
	tips := src.Tips(trees)
	for _, r := range p.Refs {
		if r.New == ZeroID {
			continue
		}
		if err := tips.Check(ctx, r.New); err != nil {
			return fmt.Errorf("cannot accept %s at %s: %w", shownRef(r.Name), app.Short(r.New), err)
		}
	}
	return nil
}

// checkRefs refuses refs whose number or whose names cost too much: each part of a name is
// a folder, and each ref a file, until git packs them.
func checkRefs(v app.View, refs []Ref) error {
	limits := map[string]int64{}
	for _, name := range []string{app.PropPushRefs, app.PropAllRefs, app.PropRefLength, app.PropRefDepth} {
		n, err := v.GitBudget(name)
		if err != nil {
			return err
		}
		limits[name] = n
	}
	if n := limits[app.PropPushRefs]; int64(len(refs)) > n {
		return fmt.Errorf("this push changes %d branches and tags, more than %d; push fewer of them at a time", len(refs), n)
	}
	added := 0
	for _, r := range refs {
		if r.New == ZeroID {
			continue
		}
		if r.Old == ZeroID {
			added++
		}
		if err := checkName(r.Name); err != nil {
			return err
		}
		name := strings.TrimPrefix(r.Name, Heads)
		if n := limits[app.PropRefLength]; int64(len(name)) > n {
			return fmt.Errorf("the name of %.40s... has %d bytes, more than the limit of %d; push it under a shorter name (git push REMOTE HEAD:NAME)", name, len(name), n)
		}
		if n := int64(strings.Count(name, "/") + 1); n > limits[app.PropRefDepth] {
			return fmt.Errorf("the name of %.40s... has %d parts between slashes, more than the limit of %d; push it under another name (git push REMOTE HEAD:NAME)",
				name, n, limits[app.PropRefDepth])
		}
	}
	if added == 0 {
		return nil
	}
	have, err := repo.CountRefs(v.Dir)
	if err != nil {
		return err
	}
	if n := limits[app.PropAllRefs]; int64(have+added) > n {
		return fmt.Errorf("%s would have %d branches and tags, more than %d; delete some first (git push REMOTE --delete NAME)", v.Name, have+added, n)
	}
	return nil
}

// accepted are the folders of refs that a push may write: branches, tags, and what the clients of
// common servers have beside them, which git keeps and gives no meaning. Of other names git has more
// than anybody can list: a ref in refs/replace/ changes what all gits of a repository read.
var accepted = []string{Heads, "refs/tags/", "refs/notes/", "refs/remotes/", "refs/pull/", "refs/merge-requests/", "refs/changes/"}

// checkName refuses the name of a ref that is none of the accepted ones, or that lists would not
// show as it is. Refs of older versions can be deleted.
func checkName(name string) error {
	if event.Printable(name) != name {
		return fmt.Errorf("the name %q has characters that are not seen, or that change the order of others; push it under another name (git push REMOTE HEAD:NAME)", fmt.Sprintf("%.80s", name))
	}
	if !slices.ContainsFunc(accepted, func(folder string) bool { return strings.HasPrefix(name, folder) }) {
		return fmt.Errorf("cannot accept %.80s: of a push, this server takes what is in %s and %s; push branches and tags alone: git push REMOTE --all, then git push REMOTE --tags",
			name, strings.Join(accepted[:len(accepted)-1], ", "), accepted[len(accepted)-1])
	}
	return nil
}

// shownRef is the name of a ref for a person.
func shownRef(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, Heads), "refs/")
}
