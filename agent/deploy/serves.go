package deploy

import (
	"fmt"
	"strings"

	"dokku/agent/app"
	"dokku/agent/text"
	"dokku/scale"
)

// keepsWeb refuses a release that would take web away while it serves. A count of 0 in
// the release's own files means it.
func keepsWeb(x *Session, r *app.Release, f scale.Formation) error {
	if x.Current == nil || x.State.Stopped || f.Count(scale.Web) > 0 {
		return nil
	}
	now, err := x.View().FormationWith(x.State.Scale)
	if err != nil || now.Count(scale.Web) == 0 {
		return err
	}
	origin := f.Origin(scale.Web)
	asked, local := x.State.Asked()[scale.Web]
	if local && asked == 0 && (origin == "" || origin == scale.FromLocal) || r.Control.SetsCount(scale.Web) {
		return nil
	}
	file := r.RepositoryPath(app.FileProcfile)
	if origin != "" { // the Procfile has web, and the other file leaves it out
		return scale.Problems{{File: r.RepositoryPath(string(origin)), Message: fmt.Sprintf("it leaves out web, and %s: "+
			"set web to 1 in it, or to 0 if web shall end", x.View().Serves())}}
	}
	p := scale.Problem{File: file, Message: fmt.Sprintf("it has no web any more, and %s", x.View().Serves())}
	if near, ok := nearest(scale.Web, r.Control.Procfile); ok {
		p.Line, p.Text = near.Line, near.Type+": "+near.Command
		p.Message += ": did you mean web?"
	} else {
		p.Message += ": add a line web: command"
	}
	p.Message += fmt.Sprintf(" If web shall end, say so first: dokku ps:scale %s web=0", x.Name)
	return scale.Problems{p}
}

// nearest returns the process whose type looks like a misspelt typ.
func nearest(typ string, procs scale.Procfile) (best scale.Process, ok bool) {
	least := 3 // more than two typing errors are another word
	for _, p := range procs.Processes() {
		if d := text.Distance(strings.ToLower(p.Type), typ); d < least {
			best, least, ok = p, d, true
		}
	}
	return best, ok
}

// idle names the process types of a release that run no process, once: when the type is
// new. It also says when nothing at all will run, and, of a first release whose Procfile
// lacks web without a word about it, that there is none, as Dokku does.
func idle(x *Session, r *app.Release, f scale.Formation) {
	if _, asked := x.State.Asked()[scale.Web]; x.Current == nil && !asked && !r.Control.Has(scale.Web) && !r.Control.SetsCount(scale.Web) {
		x.Log.Warn("Skipping web as it is missing from the current Procfile")
	}
	running := 0
	for _, e := range f {
		running += e.Count
		known := x.Current != nil && x.Current.Control.Has(e.Type)
		if e.Count == 0 && !known && e.Origin == scale.FromDefault {
			x.Log.Step("%s runs 0 processes: dokku ps:scale %s %[1]s=1 starts one", e.Type, x.Name)
		}
	}
	if running == 0 {
		x.Log.Warn("Nothing runs: every process type of %s has 0 processes", x.Name)
	}
}
