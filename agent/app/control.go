package app

import (
	"errors"
	"slices"

	"dokku/scale"
)

// Names of the control files that a revision may ship in its root.
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
// maxScale is an error.
func (r *Release) ReadFiles(maxScale int) (err error) {
	r.Control = Control{}
	if src, ok := r.Files[FileProcfile]; ok {
		if r.Control.Procfile, err = scale.ParseProcfile([]byte(src)); err != nil {
			return r.nameProcfile(err)
		}
	}
	if src, ok := r.Files[FileDokkuScale]; ok {
		if r.Control.Scale, err = scale.ParseDokkuScale([]byte(src), maxScale); err != nil {
			return r.Control.Procfile.ExplainScale(err)
		}
	}
	if src, ok := r.Files[FileAppJSON]; ok {
		if r.Control.AppJSON, err = scale.ParseAppJSON([]byte(src)); err != nil {
			return err
		}
	}
	return r.Control.AppJSON.CheckQuantities(maxScale)
}

// CheckCommands finds the commands that cannot run: see scale.Procfile.CheckCommands. A
// build calls it. A stored release may have such a command, for a type that runs nothing.
func (r *Release) CheckCommands() (warnings []scale.Problem, err error) {
	warnings, err = r.Control.Procfile.CheckCommands()
	if r.ProcfilePath != "" {
		for n := range warnings {
			warnings[n].File = r.ProcfilePath
		}
	}
	if err != nil {
		return warnings, r.nameProcfile(err)
	}
	return warnings, r.Control.AppJSON.Check()
}

// nameProcfile puts the Procfile's path into its problems.
func (r *Release) nameProcfile(err error) error {
	var problems scale.Problems
	if r.ProcfilePath == "" || !errors.As(err, &problems) {
		return err
	}
	problems = slices.Clone(problems)
	for n := range problems {
		problems[n].File = r.ProcfilePath
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
