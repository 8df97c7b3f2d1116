package deploy

import (
	"context"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/failpoint"
	"dokku/build"
	"dokku/build/source"
	"dokku/scale"
)

// maxControlFile is the largest control file that a revision may ship, in bytes.
const maxControlFile = 1 << 20

// A building makes a release of a pushed revision.
type building struct {
	session *Session
	source  *source.Source
	commit  source.Commit
	release *app.Release
}

// build reads, validates and builds a revision. The caller saves the release that it
// returns.
func (x *Session) build(ctx context.Context, objects source.Options, revision, cause string) (*app.Release, error) {
	x.pushed = &objects
	src, err := source.Open(objects)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	if err := failpoint.Count("git", "read a commit"); err != nil {
		return nil, err
	}
	commit, err := src.Commit(revision)
	if err != nil {
		return nil, err
	}
	n, err := x.Env.Store.NextRelease(x.App)
	if err != nil {
		return nil, err
	}
	r := &app.Release{Number: n, Attempt: app.NewAttempt(), Revision: revision, Cause: cause,
		Created: time.Now().UTC(), Files: map[string]string{}}
	x.View().Provide(r)
	x.logRelease(n)
	if err := x.Env.checkOptions(ctx, x.View(), r.ContainerOptions); err != nil {
		return nil, err
	}
	b := &building{session: x, source: src, commit: commit, release: r}
	if err := x.keep(b.inspect(ctx)); err != nil {
		return nil, err
	}
	return r, b.image(ctx)
}

// inspect reads the control files and refuses a revision that cannot be deployed before
// it is built.
func (b *building) inspect(ctx context.Context) error {
	x := b.session
	done, read := x.Log.Timed("validate tree"), x.Log.Busy("reading the files of %s", b.commit.Short)
	_, err := b.source.Validate(ctx, b.commit, source.DefaultLimits)
	read()
	done(err)
	if err == nil {
		err = failpoint.Reach(failpoint.TreeValidated)
	}
	if err == nil {
		err = b.readControlFiles()
	}
	if err == nil {
		err = failpoint.Reach(failpoint.FilesRead)
	}
	if err != nil {
		return err
	}
	err = b.release.ReadFiles(x.Settings.MaxScale)
	control := b.release.Control
	warnings := control.AppJSON.Warnings
	if err == nil {
		var more []scale.Problem
		more, err = b.release.CheckCommands()
		warnings = append(warnings, more...)
	}
	for _, w := range warnings {
		x.Log.Warn("%s", w)
	}
	if keys := control.AppJSON.Ignored; len(keys) > 0 {
		x.Log.Step("app.json: no effect here: %s", strings.Join(keys, ", "))
	}
	if err == nil {
		var f scale.Formation
		if f, _, err = control.Resolve(x.State.Asked()); err == nil {
			err = keepsWeb(x, b.release, f)
		}
	}
	if err == nil {
		_, _, err = x.checkPlan(b.release, nil)
	}
	if err == nil {
		err = b.environment()
	}
	return err
}

// readControlFiles reads the revision's control files into the release.
func (b *building) readControlFiles() error {
	x, r := b.session, b.release
	for _, name := range app.ControlFiles {
		path := name
		if name == app.FileProcfile {
			if path = x.View().Property(app.PropProcfilePath); path != name {
				r.ProcfilePath = path
			}
		}
		data, ok, err := b.source.File(b.commit.Hash, path, maxControlFile)
		if err != nil {
			return err
		}
		if ok {
			r.Files[name] = string(data)
		} else if r.ProcfilePath != "" && name == app.FileProcfile {
			x.Log.Warn("procfile-path names %s, which does not exist: web runs the image's own command. To correct the path: dokku ps:set %s procfile-path FILE", path, x.Name)
		}
	}
	return nil
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
	q := build.Request{App: x.Name, Source: b.source, Commit: b.commit, Manifest: x.Env.Store.File(x.Name, "manifest"),
		Labels:   map[string]string{engine.LabelApp: x.Name},
		Header:   func(h build.Header) { x.Log.Step("Building %s from %s (%s)", x.Name, h.Reason, h) },
		Progress: x.printLine,
	}
	if x.Current != nil {
		q.Old = x.Current.Revision
	}
	if err := failpoint.Reach(failpoint.BuildStarted); err != nil {
		return err
	}
	result, err := x.Env.Build(ctx, q)
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
	r.Image = info.ID
	r.Detected = detectPort(result.ExposedPorts, info.Ports)
	if c := x.Current; len(info.Ports) == 0 && c != nil && c.PortFound {
		r.Detected, r.PortFound = c.DetectedPort(), true
	}
	r.Port = x.State.WebPort(r.Detected)
	hintPorts(x, r, info.Ports)
	return failpoint.Reach(failpoint.ImageKnown)
}

// printLine prints a line of a build's progress.
func (x *Session) printLine(l build.Line) {
	switch l.Kind {
	case build.KindAlive:
		x.Log.Alive("%s", l.Text)
	case build.KindOutput:
		x.Log.PrefixedOutput(build.OutputIndent, strings.TrimPrefix(l.Text, build.OutputIndent))
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
	if wait := waitToRetire(x.View()); len(x.State.Retiring) > 0 && wait > 0 {
		x.Log.Step("Shutting down old containers in %g seconds", wait.Seconds())
	}
	if len(urls) == 0 {
		x.Log.Success("Application deployed in %.1fs", time.Since(since).Seconds())
	} else {
		x.Log.Success("Application deployed in %.1fs:", time.Since(since).Seconds())
	}
	for _, u := range urls {
		x.Log.Detail("%s", u)
	}
	if coming := x.View().Coming(); len(urls) > 0 && len(coming) > 0 {
		x.Log.Detail("HTTPS for %s follows in a minute or so; if it does not: dokku letsencrypt:list", strings.Join(coming, " "))
	}
}

// ImageTag returns the name of an app's image. The name protects the image of a kept
// release from docker image prune. It contains the id, so it is never stale.
func ImageTag(app, id string) string {
	return engine.TagPrefix + app + ":" + strings.TrimPrefix(id, "sha256:")[:12]
}
