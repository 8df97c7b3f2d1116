package agent

import (
	"dokku/scale"
	"errors"
	"slices"
)

// Control files that a revision may ship, all of them in its root.
const (
	fileProcfile   = "Procfile"
	fileDokkuScale = "DOKKU_SCALE"
	fileChecks     = "CHECKS"
	fileAppJSON    = "app.json"
)

var controlFiles = []string{fileProcfile, fileDokkuScale, fileChecks, fileAppJSON}

// control is what the control files of a release say.
type control struct {
	procfile scale.Procfile
	scale    scale.DokkuScale
	appJSON  scale.AppJSON
}

// parse reads a release's control files, within the server's limits.
func (r *Release) parse(set Settings) (c control, err error) {
	if src, ok := r.Files[fileProcfile]; ok {
		if c.procfile, err = scale.ParseProcfile([]byte(src)); err != nil {
			return c, r.nameProcfile(err)
		}
	}
	if src, ok := r.Files[fileDokkuScale]; ok {
		if c.scale, err = scale.ParseDokkuScale([]byte(src), set.MaxScale); err != nil {
			return c, err
		}
	}
	if src, ok := r.Files[fileAppJSON]; ok {
		c.appJSON, err = scale.ParseAppJSON([]byte(src))
	}
	return c, err
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

// resolve decides how many of what the release runs with the local settings.
func (c control) resolve(local map[string]int) (scale.Formation, []scale.Note, error) {
	return scale.Resolve(scale.Inputs{Procfile: c.procfile, DokkuScale: c.scale, AppJSON: c.appJSON, Local: local})
}

// command is what the Procfile declares for a type; "" where it does not.
func (c control) command(typ string) string {
	declared, _ := c.procfile.Lookup(typ)
	return declared.Command
}
