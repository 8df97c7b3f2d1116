package inspect

import (
	"dokku/agent/app"
	"dokku/agent/checks"
)

// CheckSettings returns the gate's timeouts and the origin of each value. A view without an
// app has the server's settings.
func CheckSettings(v app.View) (checks.Settings, error) {
	from := checks.Sources{ServerConfig: v.Settings.Config, Server: v.Settings.Checks}
	if v.App != nil {
		from.AppConfig, from.App = v.State.Config, v.State.Checks
	}
	return checks.Resolve(from)
}

// A ChecksFile is a release's CHECKS file, parsed.
type ChecksFile struct {
	checks.File
	Warnings []checks.Warning
}

// ParseChecks parses a release's CHECKS file, whose templates have the release's variables; nil: it has none. The error is a
// scale.Problems.
func ParseChecks(r *app.Release) (*ChecksFile, error) {
	src, ok := r.Files[app.FileChecks]
	if !ok {
		return nil, nil
	}
	text, unfilled := checks.Expand([]byte(src), func(name string) string { return r.Config[name] })
	f, warnings, err := checks.ParseCHECKS(text)
	warnings = append(unfilled, warnings...)
	if err != nil {
		return &ChecksFile{Warnings: r.NamedAll(warnings)}, r.Named(err)
	}
	return &ChecksFile{f, r.NamedAll(warnings)}, nil
}

// CheckPlan returns the checks of the release's process types; f is its CHECKS file and
// image the HEALTHCHECK of its image, or nil.
func CheckPlan(v app.View, r *app.Release, f *ChecksFile, image *checks.Healthcheck) (checks.Plan, []checks.Warning, error) {
	settings, err := CheckSettings(v)
	if err != nil {
		return checks.Plan{}, nil, err
	}
	var file *checks.File
	var warnings []checks.Warning
	if f != nil {
		file, warnings = &f.File, f.Warnings
	}
	plan, more, err := checks.NewPlan(checks.Inputs{App: v.Name, Types: r.Control.Procfile.Types(), Domains: v.Domains(),
		File: file, AppJSON: r.Control.AppJSON, Image: image, Settings: settings})
	return plan, append(warnings, r.NamedAll(more)...), r.Named(err)
}
