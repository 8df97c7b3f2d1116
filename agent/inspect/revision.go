package inspect

import (
	"context"
	"fmt"
	"strings"

	"dokku/agent/app"
	"dokku/agent/checks"
	"dokku/build"
	"dokku/build/source"
	"dokku/scale"
)

// maxControlFile is the largest control file that a revision may ship, in bytes.
const maxControlFile = 64 << 10

// Input is a revision, with the settings that decide what its files mean.
type Input struct {
	View   app.View
	Source *source.Source
	// Commit has the tree of the build-dir.
	Commit source.Commit
	// Release names the build-dir. Revision sets its Files, its Control and the paths of
	// its control files.
	Release *app.Release
	// Request returns what the builders get to know. It is called once Release is read.
	Request func() (build.Request, error)
	// Choose chooses the builder, and returns the ports that the files expose (see
	// build.Builders.Inspect); nil: the builder is chosen when it builds.
	Choose func(context.Context, build.Request) (build.Choice, []int, error)
}

// Report is what the files of a revision say, and what is wrong with them.
type Report struct {
	Problems []Problem
	// Ignored are keys of app.json that have no effect here.
	Ignored []string
	// Formation and Notes are empty if a file that decides them is invalid.
	Formation scale.Formation
	Notes     []scale.Note
	// Open: the build may still find the process types of an app without a Procfile.
	Open bool
	// Unscaled is why the formation cannot run, unless the build finds the process types
	// of an app without a Procfile; nil: it can.
	Unscaled error
	// ChecksFile is CHECKS; nil: there is none. Checks are those of all process types,
	// without a HEALTHCHECK of the image.
	ChecksFile *ChecksFile
	Checks     checks.Plan
	// Choice is the builder, the zero value if there is none. Exposed are the TCP ports of
	// its files, web's first.
	Choice  build.Choice
	Exposed []int
}

// Err returns an error with a line for each error among the problems; nil: none.
func (r *Report) Err() error {
	var list scale.Problems
	for _, p := range r.Problems {
		switch {
		case p.Severity != Error:
		case p.whole:
			list = append(list, scale.Problem{Message: p.Message})
		default:
			list = append(list, p.Problem)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list
}

// Warnings returns the texts of the warnings.
func (r *Report) Warnings() (list []string) {
	for _, p := range r.Problems {
		if p.Severity == Warning {
			list = append(list, p.String())
		}
	}
	return list
}

// OnlySettings reports whether other settings may correct all errors.
func (r *Report) OnlySettings() bool {
	for _, p := range r.Problems {
		if p.Severity == Error && !p.Setting {
			return false
		}
	}
	return true
}

// Unfound explains Report.Unscaled.
const Unfound = "The build has to find the process types, since there is no Procfile; without them:"

// Revision reads all files of a revision that decide about an app, and finds their
// mistakes. It only reads. A tree that cannot be built safely is the only problem of its
// revision: nothing else of it is read. The error is that of ctx.
func Revision(ctx context.Context, in Input) (*Report, error) {
	n := &inspection{Input: in, report: &Report{}}
	limits, err := in.View.TreeLimits()
	if err == nil {
		_, err = in.Source.Validate(ctx, in.Commit, limits)
	}
	if err != nil {
		n.add(problemOf(err, ""))
		return n.report, ctx.Err()
	}
	n.read()
	err = in.Release.ReadFiles(in.View.Settings.MaxScale)
	n.add(problems(err)...)
	n.add(of(Warning, in.Release.Control.AppJSON.Warnings)...)
	n.report.Ignored = in.Release.Control.AppJSON.Ignored
	warnings, unreadable := in.Release.CheckCommands()
	n.add(of(Warning, warnings)...)
	n.add(problems(unreadable)...)
	n.checks()
	n.template()
	chosen := n.choose(ctx)
	if err == nil {
		n.formation(chosen)
	}
	return n.report, ctx.Err()
}

// inspection is a Report in the making.
type inspection struct {
	Input
	report *Report
}

func (n *inspection) add(list ...Problem) { n.report.Problems = append(n.report.Problems, list...) }

// setting adds an error of a setting.
func (n *inspection) setting(err error) {
	p := problemOf(err, n.Release.BuildDir)
	p.Setting = true
	n.add(p)
}

// read reads the control files into the release.
func (n *inspection) read() {
	r, v := n.Release, n.View
	r.ProcfilePath = elsewhere(app.FileProcfile, v.Property(app.PropProcfilePath))
	r.AppJSONPath = elsewhere(app.FileAppJSON, v.BuildProperty(app.PropAppJSON))
	for _, name := range app.ControlFiles {
		data, ok, err := n.Source.Read(n.Commit, r.ControlPath(name), maxControlFile)
		if err != nil {
			p := problemOf(err, "")
			p.File = r.RepositoryPath(name)
			n.add(p)
		}
		if ok {
			r.Files[name] = string(data)
		}
	}
	n.missing(app.FileProcfile, r.ProcfilePath, fmt.Sprintf("procfile-path names %s, which does not exist: web runs the image's own command. "+
		"To correct the path: dokku ps:set %s procfile-path FILE", r.ProcfilePath, v.Name))
	n.missing(app.FileAppJSON, r.AppJSONPath, fmt.Sprintf("appjson-path names %s, which does not exist: the app has no app.json. "+
		"To correct the path: dokku app-json:set %s appjson-path FILE", r.AppJSONPath, v.Name))
}

// missing warns of a control file that is not at the path of a setting; "": there is none.
func (n *inspection) missing(name, path, message string) {
	if _, ok := n.Release.Files[name]; !ok && path != "" {
		n.add(Problem{Problem: scale.Problem{Message: message}, Severity: Warning, Setting: true, whole: true})
	}
}

// elsewhere returns the path of a control file as a release keeps it: "" is the usual one.
func elsewhere(name, setting string) string {
	if setting == name {
		return ""
	}
	return setting
}

// checks reads CHECKS and the healthchecks of app.json.
func (n *inspection) checks() {
	if _, err := CheckSettings(n.View); err != nil {
		n.setting(err)
		return
	}
	r := *n.Release
	if r.Config == nil && n.View.App != nil { // it is not a release yet
		r.Config = n.View.Config()
	}
	file, invalid := ParseChecks(&r)
	n.add(problems(invalid)...)
	plan, warnings, err := CheckPlan(n.View, n.Release, file, nil)
	n.add(of(Warning, warnings)...)
	n.add(problems(err)...)
	n.report.ChecksFile, n.report.Checks = file, plan
}

// choose chooses the builder. It reports whether one was chosen.
func (n *inspection) choose(ctx context.Context) bool {
	q, err := n.Request()
	if err == nil && n.Choose != nil {
		n.report.Choice, n.report.Exposed, err = n.Choose(ctx, q)
	}
	if err != nil {
		n.setting(err)
	}
	return err == nil && n.Choose != nil
}

// formation decides the counts of processes. An app without a Procfile may get its types
// from its builder, so its counts can be judged once the builder is chosen, or has built.
func (n *inspection) formation(chosen bool) {
	var err error
	n.report.Formation, n.report.Notes, err = n.View.FormationOf(n.Release)
	for _, note := range n.report.Notes {
		if note.Warning {
			n.add(Problem{Problem: scale.Problem{File: n.named(note.Text), Message: note.Text}, Severity: Warning, whole: true})
		}
	}
	_, shipped := n.Release.Files[app.FileProcfile]
	n.report.Open = !shipped && (!chosen || n.report.Choice.FindsProcesses())
	if err = n.Release.Named(err); n.report.Open {
		n.report.Unscaled = err
	} else {
		n.add(problems(err)...)
	}
}

// named returns the path of the control file that a message begins with; "" for none.
func (n *inspection) named(text string) string {
	for _, name := range app.ControlFiles {
		if strings.HasPrefix(text, name+" ") {
			return n.Release.RepositoryPath(name)
		}
	}
	return ""
}

// Origin names the file or the setting that a count comes from, for people.
func Origin(e scale.Entry) string {
	switch e.Origin {
	case scale.FromLocal:
		return "ps:scale"
	case scale.FromDefault:
		return "default"
	}
	return string(e.Origin)
}

// DescribeCron returns the cron tasks of a release, a line for each: "@daily npm run report".
func DescribeCron(r *app.Release) (lines []string) {
	for _, t := range r.Control.AppJSON.Cron {
		line := t.Schedule + " " + t.Command
		if t.Policy != scale.PolicyAllow {
			line += " (" + string(t.Policy) + ")"
		}
		if t.Maintenance {
			line += " (in maintenance)"
		}
		lines = append(lines, line)
	}
	return lines
}

// Describe returns the checks of a plan, a line for each: "web: CHECKS:3 /health".
func Describe(p checks.Plan, types []string) (lines []string) {
	for _, typ := range types {
		for _, c := range p.Checks[typ] {
			from := "default"
			if c.Source != "" {
				from = c.Source
			}
			if c.Line > 0 {
				from += fmt.Sprintf(":%d", c.Line)
			}
			lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s: %s (%s)", typ, c, from)))
		}
	}
	if p.Skipped != "" {
		lines = append(lines, "none "+p.Skipped)
	}
	return lines
}
