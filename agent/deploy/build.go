package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/failpoint"
	"dokku/agent/inspect"
	"dokku/agent/plan"
	"dokku/agent/remote"
	"dokku/agent/text"
	"dokku/build"
	"dokku/build/options"
	"dokku/build/source"
	"dokku/scale"
)

// maxFile is the size in bytes of the largest file of a revision that is read.
const maxFile = 1 << 20

// A building makes a release of a pushed revision.
type building struct {
	session *Session
	source  *source.Source
	fetcher *remote.Fetcher
	objects source.Options
	branch  string // of the revision, without refs/heads/
	commit  source.Commit
	release *app.Release
	// asked is what the builders get to know; request makes it.
	asked build.Request
	// unscaled is why the formation cannot run. It waits for the image, which may bring
	// the process types of an app without a Procfile. refused: it waited in vain.
	unscaled error
	refused  bool
}

// build reads, validates and builds a revision. The caller saves the release that it
// returns.
func (x *Session) build(ctx context.Context, objects source.Options, ref Ref, cause string, from *app.Source) (*app.Release, error) {
	b, err := x.open(ctx, objects, ref.New, cause, from)
	if err != nil {
		return nil, err
	}
	defer b.source.Close()
	b.branch = strings.TrimPrefix(ref.Name, Heads)
	x.subject = b.release.Subject
	x.logRelease(b.release.Number)
	if err := x.Env.checkOptions(ctx, x.View(), b.release.ContainerOptions); err != nil {
		return nil, err
	}
	if err := reachableFirst(x.View()); err != nil {
		return nil, err
	}
	if err := x.Env.CheckSpace("build", x.Log); err != nil {
		return nil, err
	}
	valid, err := b.inspect(ctx)
	b.fetcher.Prune() // after an error too: refused pushes would fill the cache
	if err == nil {
		err = x.swarmReady(ctx, b.release)
	}
	if err == nil {
		err = x.checkRegistry(ctx)
	}
	if err == nil {
		err = x.checkDoors(ctx)
	}
	if err != nil || b.unscaled == nil {
		err = x.keep(err, valid)
	}
	if err != nil {
		return nil, err
	}
	return b.release, b.image(ctx)
}

// open begins a release of a revision, of which it reads the commit. The caller closes
// the source.
func (x *Session) open(ctx context.Context, objects source.Options, revision, cause string, from *app.Source) (b *building, err error) {
	b = &building{session: x}
	objects.Dockerfile = x.View().BuildProperty(app.PropDockerfile)
	if b.fetcher, err = x.fetcher(from); err != nil {
		return nil, err
	}
	objects.Remotes = b.fetcher
	x.pushed, b.objects = &objects, objects
	opened, err := source.Open(objects)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			opened.Close()
		}
	}()
	b.source = opened
	if err := failpoint.Count("git", "read a commit"); err != nil {
		return nil, err
	}
	commit, err := b.source.Commit(revision)
	if err != nil {
		return nil, err
	}
	if err := x.View().CheckBuild(); err != nil {
		return nil, err
	}
	dir := x.View().BuildDir()
	if b.commit, err = buildDir(ctx, b.source, commit, x.Name, dir); err != nil {
		return nil, err
	}
	n, err := x.Env.Store.NextRelease(x.App)
	if err != nil {
		return nil, err
	}
	b.release = &app.Release{Number: n, Attempt: app.NewAttempt(), Revision: revision, Cause: cause, By: x.Env.By,
		Subject: event.OneLine(commit.Subject), Created: time.Now().UTC(), BuildDir: dir, Files: map[string]string{}, Source: from, RunsCron: true}
	x.View().Provide(b.release)
	return b, nil
}

// inspect reads the control files and refuses a revision that cannot be deployed before
// it is built. valid reports whether the revision itself is: a setting may correct the rest.
func (b *building) inspect(ctx context.Context) (valid bool, err error) {
	x := b.session
	report, err := b.report(ctx)
	if err == nil {
		err = failpoint.Reach(failpoint.FilesRead)
	}
	if err != nil {
		return false, err
	}
	for _, w := range report.Warnings() {
		x.warn(w)
	}
	if len(report.Ignored) > 0 {
		x.Log.Step("app.json: no effect here: %s", strings.Join(report.Ignored, ", "))
	}
	b.unscaled = report.Unscaled
	x.checks, x.checksOf = report.ChecksFile, b.release.Attempt
	valid = report.OnlySettings()
	if err = report.Err(); report.Formation != nil {
		switch kept := keepsWeb(x, b.release, report.Formation); {
		case kept != nil && report.Open:
			b.unscaled = kept
		case kept != nil:
			valid, err = false, errors.Join(err, kept)
		}
	}
	if valid {
		err = errors.Join(err, b.environment())
	}
	if report.Formation != nil { // a setting may allow it
		err = errors.Join(err, x.checkProcesses(report.Formation))
	}
	return valid, err
}

// report has the files of the revision inspected.
func (b *building) report(ctx context.Context) (*inspect.Report, error) {
	x := b.session
	done, read := x.Log.Timed("validate tree"), x.Log.Busy("reading the files of %s", b.commit.Short)
	limits, err := x.View().TreeLimits()
	if err == nil {
		_, err = b.source.Validate(ctx, b.commit, limits)
	}
	read()
	done(err)
	if err == nil {
		err = failpoint.Reach(failpoint.TreeValidated)
	}
	if err != nil {
		return nil, err
	}
	choose, err := x.Env.chooser(x.Settings)
	if err != nil {
		return nil, err
	}
	return inspect.Revision(ctx, inspect.Input{View: x.View(), Source: b.source, Commit: b.commit, Release: b.release, Choose: choose,
		Request: func() (build.Request, error) {
			var err error
			b.asked, err = b.request(ctx)
			return b.asked, err
		}})
}

// image builds the release's image and reads its exposed port. The image's labels name
// the app and never the release: equal content has to give equal images.
func (b *building) image(ctx context.Context) (err error) {
	x, r := b.session, b.release
	done := x.Log.Timed("build")
	defer func() { done(err) }()
	host, err := x.machine()
	if err != nil {
		return err
	}
	result, err := b.run(ctx)
	if err != nil {
		return err
	}
	info, err := host.Image(ctx, result.ImageID)
	if err != nil {
		return err
	}
	if err := host.Tag(ctx, info.ID, ImageTag(x.Name, info.ID)); err != nil {
		return err
	}
	if err := ends(x.Name, info, r); err != nil {
		return err
	}
	if err := light(x.View(), info.Weight); err != nil {
		return err
	}
	if _, err := x.Env.checkQuota(ctx, x.View(), info.ID); err != nil {
		return err
	}
	r.Image, r.Builder, r.BuilderReason = info.ID, result.Builder, result.Choice.String()
	if err := b.processes(result.Procfile); err != nil {
		return err
	}
	r.Detected, r.Exposes = detectPort(result.ExposedPorts, info.Ports), len(info.Ports) > 0
	if c := x.Current; len(info.Ports) == 0 && c != nil && c.PortFound {
		r.Detected, r.PortFound = c.DetectedPort(), true
	}
	r.Port = x.State.WebPort(r.Detected)
	hintPorts(x, r, info.Ports)
	if v := x.View(); v.ExposedAsIs(r) {
		if err := x.Env.PortTaken(ctx, v.Settings, r.Detected); err != nil {
			return err
		}
	}
	return failpoint.Reach(failpoint.ImageKnown)
}

// ends refuses an image whose processes would not end when they are told to.
func ends(name string, info engine.ImageInfo, r *app.Release) error {
	if !options.Freezes(info.StopSignal) {
		return nil
	}
	if c, err := r.Containers(""); err != nil || c.StopSignal != "" {
		return err
	}
	return fmt.Errorf("the image's STOPSIGNAL is %s, which freezes a process instead of ending it, with the requests that it answers; write STOPSIGNAL SIGTERM in the Dockerfile, "+
		"or: dokku docker-options:add %s deploy --stop-signal SIGTERM", info.StopSignal, name)
}

// run has the revision built, as soon as the server has a place for one more build.
func (b *building) run(ctx context.Context) (build.Result, error) {
	x := b.session
	place, err := x.Env.Store.LockBuild(ctx, x.Name, x.Settings.MaxBuilds(), x.noWait, x.Log)
	if err != nil {
		return build.Result{}, err
	}
	if place != nil {
		defer place.Release()
	}
	if err := failpoint.Reach(failpoint.BuildStarted); err != nil {
		return build.Result{}, err
	}
	remove, err := b.addGitDir(ctx)
	if err != nil {
		return build.Result{}, err
	}
	defer remove()
	guarded, stop, err := x.guardDisk(ctx)
	if err != nil {
		return build.Result{}, err
	}
	defer stop()
	b.asked.Network = x.filterBuild(ctx, b.release)
	result, err := x.Env.Build(guarded, b.asked)
	if cause := context.Cause(guarded); err != nil && ctx.Err() == nil && cause != nil {
		return result, cause
	}
	if err != nil {
		err = b.failed(err)
	}
	return result, err
}

// printLine prints a line of a build's progress.
func (x *Session) printLine(l build.Line) {
	switch l.Kind {
	case build.KindAlive:
		x.Log.Alive("%s", l.Text)
	case build.KindHeading:
		x.Log.Step("%s", l.Text)
	case build.KindOutput:
		text, ok := strings.CutPrefix(l.Text, build.OutputIndent)
		if ok {
			x.Log.PrefixedOutput(build.OutputIndent, text)
		} else {
			x.Log.Output(text)
		}
	default:
		x.Log.Output(l.Text)
	}
}

// discard removes the image that a failed deploy built.
func (x *Session) discard(ctx context.Context) {
	(&rollout{session: x}).undo(ctx)
}

// deployed prints the end of a successful deploy with the app's URLs.
func (x *Session) deployed(since time.Time) {
	var urls []string
	f, err := x.View().FormationWith(x.State.Scale)
	if err == nil && f.Count(scale.Web) > 0 { // a URL without web leads nowhere
		urls = x.Env.URLsOf(x.View())
	}
	// Those of before this deploy that are due are being stopped; the others get their time
	// after this line.
	finishing := func(due time.Time) bool { return due.IsZero() || due.After(time.Now()) }
	if dues := slices.Collect(maps.Values(x.State.Retiring)); slices.ContainsFunc(dues, finishing) {
		wait := WaitToRetire(x.View())
		if !slices.ContainsFunc(dues, func(due time.Time) bool { return due.IsZero() || time.Until(due) > plan.ShortRetire }) {
			wait = min(wait, plan.ShortRetire)
		}
		x.Log.Step("Shutting down old containers in %g seconds", wait.Seconds())
	}
	if n := len(x.View().CronTasks()); n > 0 {
		x.Log.Step("Scheduling %s: dokku cron:list %s", text.Plural(n, "cron task"), x.Name)
	}
	if len(urls) == 0 {
		x.Log.Success("Application deployed in %.1fs", time.Since(since).Seconds())
	} else {
		x.Log.Success("Application deployed in %.1fs:", time.Since(since).Seconds())
	}
	for _, u := range urls {
		x.Log.Detail("%s", u)
	}
	if x.State.Maintenance && len(urls) > 0 {
		x.Log.Warn("%s is in maintenance, so visitors see a page; to end that: dokku maintenance:disable %[1]s", x.Name)
	}
	if len(urls) > 0 {
		x.Env.SayHTTPS(x.View(), x.Log)
	}
}

// ImageTag returns the name of an app's image. The name protects the image of a kept
// release from docker image prune. It contains the id, so it is never stale.
func ImageTag(app, id string) string {
	return engine.TagPrefix + app + ":" + strings.TrimPrefix(id, "sha256:")[:12]
}
