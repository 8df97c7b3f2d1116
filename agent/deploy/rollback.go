package deploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
)

// Rollback deploys an earlier release again, without a build: its image, its control files
// and its config, with the app's present domains, storage, networks and limits. The
// repository's ref stays. n is the release; 0: the last one before the current release that
// differs from it. With keepConfig the present config stays.
func (x *Session) Rollback(ctx context.Context, n int, keepConfig bool) (err error) {
	start := time.Now()
	to, err := x.rollbackTo(ctx, n, keepConfig)
	if err != nil {
		return err
	}
	if err := x.tidy(ctx); err != nil {
		x.Log.Warn("%s", err)
	}
	number, err := x.Env.Store.NextRelease(x.App)
	if err != nil {
		return err
	}
	work, end := x.logDeploy(ctx, app.Deploy{Cause: "releases:rollback", Revision: to.Revision})
	defer func() { end(err) }()
	x.Log.Step("Rolling back %s from v%d to v%d (%s)", x.Name, x.Current.Number, to.Number, to.Title())
	if err := x.warnOfCommands(to.Number); err != nil {
		return err
	}
	r := to.Derive(number, "releases:rollback", x.Env.By)
	r.Of, r.Back = to.Number, ""
	_, tip, err := Pushed(x.View())
	if err != nil {
		return err
	}
	if tip != r.Revision {
		r.Back = tip
	}
	config := x.State.Config
	if !keepConfig {
		config = x.ownConfig(to)
	}
	change := func(st *app.State) { st.Config = config }
	next := x.State.Clone()
	change(&next)
	x.View().With(next).Provide(r)
	r.Detected, r.Exposes = to.DetectedPort(), to.Exposes
	r.Port = next.WebPort(r.Detected)
	for _, c := range app.Changes(x.Current, r)[1:] { // the first is the rollback itself
		x.Log.Detail("%s", c)
	}
	x.logRelease(number)
	x.Log.Step("Releasing %s v%d", x.Name, number)
	if err := x.promote(work, r, change, func(o *rollout) error { return o.run(work, o.all()) }); err != nil {
		return x.cancelled(work, err)
	}
	x.deployed(start)
	if tip != r.Revision && tip != "" {
		x.Log.Warn("%s stays at %s, and v%d serves %s: push a fix, or deploy %[1]s again: dokku ps:rebuild %[5]s",
			x.View().DeployBranch(), app.Short(tip), r.Number, r.Short(), x.Name)
	}
	return x.retagged(x.tagRemote(ctx))
}

// RolledBack returns the tip of the app's deploy branch if an earlier revision serves since
// a rollback from that tip; else "".
func RolledBack(a app.View) (tip string, err error) {
	if a.Current == nil || a.Current.Back == "" || a.State.Staged != nil {
		return "", nil
	}
	if _, tip, err = Pushed(a); err != nil || tip != a.Current.Back || tip == a.Current.Revision {
		return "", err
	}
	return tip, nil
}

// rollbackTo finds the release to go back to, and refuses one that cannot run.
func (x *Session) rollbackTo(ctx context.Context, n int, keepConfig bool) (*app.Release, error) {
	switch {
	case x.Current == nil:
		return nil, &app.NotDeployedError{App: x.Name}
	case x.State.Locked:
		return nil, LockedError(x.Name)
	case n == x.Current.Number:
		return nil, fmt.Errorf("cannot roll back %s to v%d: it is the current release", x.Name, n)
	case n > x.Current.Number:
		return nil, fmt.Errorf("cannot roll back %s to v%d: the current release is v%d", x.Name, n, x.Current.Number)
	}
	kept, err := x.Env.Store.Releases(x.Name)
	if err != nil {
		return nil, err
	}
	kept = slices.DeleteFunc(kept, func(r *app.Release) bool { return r.Number >= x.Current.Number })
	host, err := x.machine()
	if err != nil {
		return nil, err
	}
	below := x.Current.Number
	if x.Current.Of != 0 { // a second rollback goes on from there
		below = x.Current.Of
	}
	for _, r := range slices.Backward(kept) {
		if r.Number != n && (n != 0 || r.Number >= below || !differs(x.Current, r, keepConfig)) {
			continue
		}
		if has, err := obtainable(ctx, host, r); has || err != nil {
			return r, err
		}
	}
	return nil, x.impossible(ctx, host, kept, n)
}

// impossible returns the error of a rollback to a release that is not kept, or whose image
// is not. It names those that are.
func (x *Session) impossible(ctx context.Context, host engine.Images, kept []*app.Release, n int) error {
	var possible []string
	for _, r := range kept {
		has, err := obtainable(ctx, host, r)
		if err != nil {
			return err
		}
		if has {
			possible = append(possible, fmt.Sprintf("v%d", r.Number))
		}
	}
	switch {
	case n == 0:
		return fmt.Errorf("cannot roll back %s: no earlier release that differs from v%d is kept", x.Name, x.Current.Number)
	case len(possible) == 0:
		return fmt.Errorf("cannot roll back %s to v%d: its image is not kept, nor that of any other earlier release: push its revision again", x.Name, n)
	}
	return fmt.Errorf("cannot roll back %s to v%d: its image is not kept; those of %s are. To deploy v%[2]d all the same, push its revision again",
		x.Name, n, strings.Join(possible, ", "))
}

// differs reports whether a rollback from one release to the other would change what runs.
func differs(a, b *app.Release, keepConfig bool) bool {
	return a.Image != b.Image || !keepConfig && !maps.Equal(a.Config, b.Config) || !maps.Equal(a.Files, b.Files)
}

// ownConfig returns the variables of a release that were the app's own. An older release
// does not say which were: those with the value that the server gives them now were not.
func (x *Session) ownConfig(r *app.Release) map[string]string {
	own := maps.Clone(r.Config)
	maps.DeleteFunc(own, func(name, value string) bool {
		if r.ServerConfig != nil {
			return slices.Contains(r.ServerConfig, name)
		}
		_, mine := x.State.Config[name]
		servers, given := x.Settings.Config[name]
		return !mine && given && servers == value
	})
	return own
}

// warnOfCommands names the releases after n that ran a command which a rollback to n does
// not undo.
func (x *Session) warnOfCommands(n int) error {
	kept, err := x.Env.Store.Releases(x.Name)
	if err != nil {
		return err
	}
	past, err := x.Env.Store.Past(x.Name, x.Current.Number, x.Current.Number-n)
	if err != nil {
		return err
	}
	for _, r := range kept {
		past = append(past, r.Summary())
	}
	slices.SortFunc(past, func(a, b app.ReleaseSummary) int { return a.Number - b.Number })
	for _, r := range past {
		if r.Number > n && r.Number <= x.Current.Number && len(r.Ran) > 0 {
			x.Log.Warn("v%d has run its %s command: its changes, for example to a database, remain", r.Number, strings.Join(r.Ran, " and its "))
		}
	}
	return nil
}
