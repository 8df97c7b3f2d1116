package app

import (
	"errors"
	"path"
	"slices"

	"dokku/scale"
)

// Names of the control files that a revision may ship, in its root or its build-dir.
const (
	FileProcfile   = "Procfile"
	FileDokkuScale = "DOKKU_SCALE"
	FileChecks     = "CHECKS"
	FileAppJSON    = "app.json"
)

// ControlFiles lists the control files that a build reads.
var ControlFiles = []string{FileProcfile, FileDokkuScale, FileChecks, FileAppJSON}

// Control is the parsed content of a release's control files, without CHECKS, which
// package deploy parses.
type Control struct {
	Procfile scale.Procfile
	Scale    scale.DokkuScale
	AppJSON  scale.AppJSON
}

// ReadFiles parses the control files into Control, once for a release. A count above
// maxScale is an error. The error is a scale.Problems with those of all files; what could
// be read is in Control all the same.
func (r *Release) ReadFiles(maxScale int) error {
	r.Control = Control{}
	c := &r.Control
	procfile := r.parse(FileProcfile, func(src []byte) (err error) { c.Procfile, err = scale.ParseProcfile(src); return err })
	counts := r.parse(FileDokkuScale, func(src []byte) (err error) { c.Scale, err = scale.ParseDokkuScale(src, maxScale); return err })
	if procfile == nil {
		counts = c.Procfile.ExplainScale(counts)
	}
	json := r.parse(FileAppJSON, func(src []byte) (err error) { c.AppJSON, err = scale.ParseAppJSON(src); return err })
	c.AppJSON.Warnings = r.NamedAll(c.AppJSON.Warnings)
	if json == nil {
		json = c.AppJSON.CheckQuantities(maxScale)
	}
	return r.Named(scale.Joined(procfile, counts, json))
}

// parse calls f with a control file, if the revision ships it.
func (r *Release) parse(name string, f func([]byte) error) error {
	src, ok := r.Files[name]
	if !ok {
		return nil
	}
	return f([]byte(src))
}

// CheckCommands finds the commands that cannot run: see scale.Procfile.CheckCommands. A
// build calls it. A stored release may have such a command, for a type that runs nothing.
func (r *Release) CheckCommands() (warnings []scale.Problem, err error) {
	warnings, err = r.Control.Procfile.CheckCommands()
	return r.NamedAll(warnings), r.Named(scale.Joined(err, r.Control.AppJSON.Check()))
}

// ControlPath returns the path of a control file in the build-dir.
func (r *Release) ControlPath(name string) string {
	switch {
	case name == FileProcfile && r.ProcfilePath != "":
		return r.ProcfilePath
	case name == FileAppJSON && r.AppJSONPath != "":
		return r.AppJSONPath
	}
	return name
}

// RepositoryPath returns the path of a control file in the revision, for messages.
func (r *Release) RepositoryPath(name string) string {
	return path.Join(r.BuildDir, r.ControlPath(name))
}

// Named puts the paths of the control files in the revision into the problems of an
// error. It may be called twice.
func (r *Release) Named(err error) error {
	var problems scale.Problems
	if !errors.As(err, &problems) {
		return err
	}
	return scale.Problems(r.NamedAll(problems))
}

// NamedAll is Named for warnings.
func (r *Release) NamedAll(problems []scale.Problem) []scale.Problem {
	problems = slices.Clone(problems)
	for n, p := range problems {
		if slices.Contains(ControlFiles, p.File) {
			problems[n].File = r.RepositoryPath(p.File)
		}
	}
	return problems
}

// Resolve returns the release's formation with the local settings.
func (c Control) Resolve(local map[string]int) (scale.Formation, []scale.Note, error) {
	return scale.Resolve(scale.Inputs{Procfile: c.Procfile, DokkuScale: c.Scale, AppJSON: c.AppJSON, Local: local})
}

// Command returns the Procfile's command for a type; "" if it declares none.
func (c Control) Command(typ string) string {
	declared, _ := c.Procfile.Lookup(typ)
	return declared.Command
}

// Has reports whether the release has a process type.
func (c Control) Has(typ string) bool { return slices.Contains(c.Procfile.Types(), typ) }

// SetsCount reports whether the file that decides the formation names a type.
func (c Control) SetsCount(typ string) bool {
	if c.AppJSON.Scales() {
		return c.AppJSON.Formation[typ].Quantity != nil
	}
	_, listed := c.Scale.Lookup(typ)
	return listed
}
