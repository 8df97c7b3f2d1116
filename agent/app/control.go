package app

import (
	"errors"
	"slices"

	"dokku/scale"
)

// Control files that a revision may ship, all of them in its root.
const (
	FileProcfile   = "Procfile"
	FileDokkuScale = "DOKKU_SCALE"
	FileChecks     = "CHECKS"
	FileAppJSON    = "app.json"
)

var ControlFiles = []string{FileProcfile, FileDokkuScale, FileChecks, FileAppJSON}

// Control is what the control files of a release say, all but CHECKS.
type Control struct {
	Procfile scale.Procfile
	Scale    scale.DokkuScale
	AppJSON  scale.AppJSON
}

// ReadFiles parses the control files, once for a release: Control carries what they
// say. Counts above maxScale are errors.
func (r *Release) ReadFiles(maxScale int) (err error) {
	r.Control = Control{}
	if src, ok := r.Files[FileProcfile]; ok {
		if r.Control.Procfile, err = scale.ParseProcfile([]byte(src)); err != nil {
			return r.nameProcfile(err)
		}
	}
	if src, ok := r.Files[FileDokkuScale]; ok {
		if r.Control.Scale, err = scale.ParseDokkuScale([]byte(src), maxScale); err != nil {
			return err
		}
	}
	if src, ok := r.Files[FileAppJSON]; ok {
		r.Control.AppJSON, err = scale.ParseAppJSON([]byte(src))
	}
	return err
}

// nameProcfile makes a problem of the Procfile name the file that it is in.
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

// Resolve decides how many of what the release runs with the local settings.
func (c Control) Resolve(local map[string]int) (scale.Formation, []scale.Note, error) {
	return scale.Resolve(scale.Inputs{Procfile: c.Procfile, DokkuScale: c.Scale, AppJSON: c.AppJSON, Local: local})
}

// Command is what the Procfile declares for a type; "" where it does not.
func (c Control) Command(typ string) string {
	declared, _ := c.Procfile.Lookup(typ)
	return declared.Command
}
