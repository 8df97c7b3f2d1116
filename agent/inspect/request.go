package inspect

import (
	"fmt"
	"strings"

	"dokku/agent/app"
	"dokku/build"
	"dokku/build/options"
	"dokku/build/source"
	"dokku/scale"
)

// Request returns what decides how a revision is built: its files and the settings of now.
// left are the build arguments without a value. The rest of a Request is the caller's.
func Request(v app.View, src *source.Source, c source.Commit, r *app.Release) (q build.Request, left []string, err error) {
	q = build.Request{App: v.Name, Source: src, Commit: c,
		Dir:          r.BuildDir,
		Selected:     v.BuildProperty(app.PropSelected),
		Dockerfile:   v.BuildProperty(app.PropDockerfile),
		ProjectTOML:  v.BuildProperty(app.PropProjectTOML),
		RailpackJSON: v.BuildProperty(app.PropRailpackJSON),
		NoHerokuish:  v.BuildProperty(app.PropHerokuish) == "false",
		Frontends:    v.Frontends(),
		AllowedHosts: v.BuildHosts(),
		AllowedFrom:  app.Words(v.State.Build[app.PropAllowFrom]),
		Stack:        v.BuildProperty(app.PropStack),
		PackImage:    v.BuildProperty(app.PropPackImage),
		RunImage:     v.BuildProperty(app.PropRunImage),
		Buildpacks:   v.State.Buildpacks,
		Env:          v.Config(),
	}
	if len(r.Control.Procfile) > 0 {
		q.Procfile = plainProcfile(r.Control.Procfile)
	}
	q.Isolated, _ = v.OwnBuilder()
	q.LocalImages = v.LocalImages()
	left, err = options.Apply(v.State.BuildOptions, &q)
	return q, left, err
}

// plainProcfile is a Procfile as every parser reads it: without comments, Windows line
// ends and a byte order mark.
func plainProcfile(p scale.Procfile) []byte {
	var b strings.Builder
	for _, process := range p {
		fmt.Fprintf(&b, "%s: %s\n", process.Type, process.Command)
	}
	return []byte(b.String())
}
