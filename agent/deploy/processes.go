package deploy

import (
	"errors"
	"fmt"

	"dokku/agent/app"
	"dokku/build"
)

// formation refuses counts of processes that the release cannot run, or that would take
// web away.
func (b *building) formation() error {
	f, _, err := b.release.Control.Resolve(b.session.State.Asked())
	if err != nil {
		return b.release.Named(err)
	}
	if err := b.session.checkProcesses(f); err != nil {
		return err
	}
	return keepsWeb(b.session, b.release, f)
}

// chosen ends the push before the build if its formation cannot run and the builder finds
// no process types.
func (b *building) chosen(c build.Choice) error {
	if c.FindsProcesses() {
		return nil
	}
	b.refused = true
	return b.unscaled
}

// failed returns the error of a build. An app that a push created stays then, as far as
// its files are valid.
func (b *building) failed(err error) error {
	if b.unscaled == nil || b.refused {
		return err
	}
	return errors.Join(err, b.session.keep(nil, true))
}

// processes takes over the process types that the builder found in an app without a
// Procfile: buildpacks name them. They become the release's Procfile.
func (b *building) processes(found []byte) error {
	r := b.release
	if _, shipped := r.Files[app.FileProcfile]; shipped || found == nil {
		if b.unscaled == nil && !shipped && r.Builder == build.Herokuish && r.StartCommand == "" {
			return fmt.Errorf("cannot start %s: it has no Procfile, and its buildpack names no process type; add a Procfile with the line web: COMMAND and push again", b.session.Name)
		}
		return b.unscaled
	}
	r.Files[app.FileProcfile] = string(found)
	if err := r.ReadFiles(b.session.Settings.MaxScale); err != nil {
		return err
	}
	warnings, err := r.CheckCommands()
	for _, w := range warnings {
		b.session.warn(w.String())
	}
	if err != nil {
		return err
	}
	if err := b.formation(); err != nil || b.unscaled == nil {
		return err
	}
	return b.session.keep(nil, true)
}
