package backup

import (
	"cmp"
	"fmt"
	"path/filepath"
	"reflect"

	"dokku/agent/app"
	"dokku/agent/store"
	"dokku/scale"
)

// mostReleases is the highest number of a release or a deploy in a backup. No app gets there, and
// what counts on from it does not overflow.
const mostReleases = 1_000_000_000

// checkNumbers checks numbers of releases and deploys; 0 is none.
func checkNumbers(list ...int) error {
	return each(list, func(n int) error {
		if n < 0 || n > mostReleases {
			return fmt.Errorf("invalid number %d of a release: no app has more than %d", n, mostReleases)
		}
		return nil
	})
}

// checkPast checks the summaries of an app's former releases, which the releases command shows
// and which every operation on the app reads first.
func (x *restore) checkPast(name string) error {
	list, err := store.ReadPast(x.app(name, "dokku", store.PastDir))
	if err != nil {
		return inBackup(x.dir, err)
	}
	return each(list, func(r app.ReleaseSummary) error {
		err := inOrder(
			func() error { return checkNumbers(r.Number, r.Deploy, r.Of) },
			func() error {
				if !revisionID.MatchString(r.Revision) {
					return fmt.Errorf("invalid revision %.80q", r.Revision)
				}
				return nil
			},
			func() error { return printable("", reflect.ValueOf(r)) },
		)
		if err != nil {
			return fmt.Errorf("former release v%d: %w", r.Number, err)
		}
		return nil
	})
}

// mostStored is the count of a process type that a release of a server with a higher limit may
// have.
const mostStored = 1000

// checkRelease checks a stored release, which a rollback brings back without asking a command.
func checkRelease(v app.View, r *app.Release) error {
	if err := checkNumbers(r.Number, r.Deploy, r.Of, r.Before, r.RemoteTag); err != nil {
		return err
	}
	if !revisionID.MatchString(r.Revision) {
		return fmt.Errorf("invalid revision %.80q", r.Revision)
	}
	if !hexadecimal.MatchString(r.Attempt) {
		return fmt.Errorf("invalid attempt %.80q", r.Attempt)
	}
	for typ, id := range r.Kept {
		if !scale.ValidType(typ) || !hexadecimal.MatchString(id.Attempt) {
			return fmt.Errorf("invalid process type %.80q", typ)
		}
		if err := checkNumbers(id.Release); err != nil {
			return err
		}
	}
	if r.Port != 0 && !isPort(r.Port) || r.Detected != 0 && !isPort(r.Detected) {
		return fmt.Errorf("invalid port %d", cmp.Or(r.Port, r.Detected))
	}
	for _, p := range []string{r.BuildDir, r.ProcfilePath, r.AppJSONPath} {
		if p != "" && !filepath.IsLocal(p) {
			return fmt.Errorf("invalid path %.80q", p)
		}
	}
	if err := r.ReadFiles(max(v.Settings.MaxScale, mostStored)); err != nil {
		return err
	}
	return inOrder(
		func() error { return printable("", reflect.ValueOf(r).Elem()) },
		func() error { return checkConfig(r.Config) },
		func() error { return checkConfig(r.Sets) },
		func() error { return checkOptions(v, r.ContainerOptions) },
	)
}
