package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/app"
)

// Release reads release n of the app, with its control files parsed.
func (s *Store) Release(name string, n int) (*app.Release, error) {
	r := &app.Release{}
	if err := ReadJSON(s.File(name, "releases", strconv.Itoa(n)+".json"), r); err != nil {
		return nil, fmt.Errorf("cannot read release v%d of %s: %w", n, name, err)
	}
	// A lower limit applies from the next push on.
	if err := r.ReadFiles(math.MaxInt); err != nil {
		return nil, fmt.Errorf("cannot read the control files of v%d of %s: %w", n, name, err)
	}
	return r, nil
}

// SaveRelease writes the file of a release. The caller holds the app's lock.
func (s *Store) SaveRelease(name string, r *app.Release) error {
	r.Version = app.Version
	return s.WriteJSON(s.File(name, "releases", strconv.Itoa(r.Number)+".json"), r)
}

// RemoveRelease removes the file of a release, if it exists.
func (s *Store) RemoveRelease(app string, n int) error {
	if err := s.At("remove release"); err != nil {
		return err
	}
	err := s.Disk.Remove(s.File(app, "releases", strconv.Itoa(n)+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// ReleaseNumbers lists the numbers of the kept releases, ascending.
func (s *Store) ReleaseNumbers(app string) ([]int, error) {
	entries, err := os.ReadDir(s.File(app, "releases"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var numbers []int
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.Atoi(name); ok && err == nil && n > 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// Releases lists the kept releases, oldest first.
func (s *Store) Releases(name string) ([]*app.Release, error) {
	numbers, err := s.ReleaseNumbers(name)
	if err != nil {
		return nil, err
	}
	var list []*app.Release
	for _, n := range numbers {
		r, err := s.Release(name, n)
		if err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	return list, nil
}

// recordsPerImage bounds the releases that are kept for each image that is: restarts and
// changes of the config make many releases of one image.
const recordsPerImage = 4

// KeptReleases returns the releases to keep, oldest first: the current one, a staged one,
// the pinned ones, and the newest ones with as many images as the settings say.
func (s *Store) KeptReleases(v app.View) ([]*app.Release, error) {
	numbers, err := s.ReleaseNumbers(v.Name)
	if err != nil {
		return nil, err
	}
	keep := cmp.Or(v.State.KeepReleases, v.Settings.KeepReleases)
	images, records, full := map[string]bool{}, 0, false
	var kept []*app.Release
	for _, n := range slices.Backward(numbers) {
		named := n == v.State.Current || v.State.Staged != nil && n == v.State.Staged.Release ||
			n < v.State.Current && slices.Contains(v.State.Pinned, n)
		newest := n <= v.State.Current && !full
		if !named && !newest {
			continue
		}
		r, err := s.Release(v.Name, n)
		if err != nil {
			return nil, err
		}
		if newest && (images[r.Image] || len(images) < keep) && records < keep*recordsPerImage {
			images[r.Image] = true
			records++
		} else if newest {
			full = true
			if !named {
				continue
			}
		}
		kept = append(kept, r)
	}
	slices.Reverse(kept)
	return kept, nil
}

// NextRelease returns the number after the highest kept and the current release, so
// that no number of a live release is used twice.
func (s *Store) NextRelease(a *app.App) (int, error) {
	numbers, err := s.ReleaseNumbers(a.Name)
	if err != nil {
		return 0, err
	}
	next := a.State.Current
	for _, n := range numbers {
		next = max(next, n)
	}
	return next + 1, nil
}
