package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"dokku/agent/app"
)

// PastDir is the folder, beside releases, of the summaries of releases that are not kept.
const PastDir = "past"

// pastSize is the number of releases whose summaries share a file. A file is replaced as a
// whole for each of them, so what an app writes does not grow with its history.
const pastSize = 100

// past is the content of a file of summaries.
type past struct {
	Version int `json:"version"`
	// Releases are ascending by number, with gaps.
	Releases []app.ReleaseSummary `json:"releases"`
}

func (s *Store) pastFile(name string, n int) string {
	return s.File(name, PastDir, strconv.Itoa(n/pastSize)+".json")
}

func (s *Store) readPast(name string, n int) (p past, err error) {
	if err = ReadJSON(s.pastFile(name, n), &p); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return p, err
}

// pastName is the form of the names of files of summaries.
var pastName = regexp.MustCompile(`^(0|[1-9][0-9]{0,9})\.json$`)

// ReadPast reads all summaries in a folder of them, which another server may have written.
// It returns an error about a file that is none, or has releases that belong elsewhere.
func ReadPast(dir string) (list []app.ReleaseSummary, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.Type().IsRegular() || !pastName.MatchString(e.Name()) {
			return nil, fmt.Errorf("%s is no file of former releases", path)
		}
		var p past
		if err := ReadJSON(path, &p); err != nil {
			return nil, err
		}
		of, _ := strconv.Atoi(strings.TrimSuffix(e.Name(), ".json"))
		for i, r := range p.Releases {
			if r.Number < 1 || r.Number/pastSize != of || i > 0 && r.Number <= p.Releases[i-1].Number {
				return nil, fmt.Errorf("%s has a release v%d, which does not belong there", path, r.Number)
			}
		}
		list = append(list, p.Releases...)
	}
	return list, err
}

// lastPast returns the path of the file that was written last; "": there is none.
func (s *Store) lastPast(name string) (string, error) {
	entries, err := os.ReadDir(s.File(name, PastDir))
	last := -1
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".json")); err == nil {
			last = max(last, n)
		}
	}
	if err != nil || last < 0 {
		return "", err
	}
	return s.pastFile(name, last*pastSize), nil
}

// SavePast stores the summary of a release that is about to be removed. The caller holds
// the app's lock.
func (s *Store) SavePast(name string, sum app.ReleaseSummary) error {
	p, err := s.readPast(name, sum.Number)
	if err != nil {
		return err
	}
	p.Version = app.Version
	p.Releases = slices.DeleteFunc(p.Releases, func(r app.ReleaseSummary) bool { return r.Number == sum.Number })
	p.Releases = append(p.Releases, sum)
	slices.SortFunc(p.Releases, func(a, b app.ReleaseSummary) int { return a.Number - b.Number })
	if err := s.Disk.MkdirAll(s.File(name, PastDir), 0o700); err != nil {
		return err
	}
	return s.WriteJSON(s.pastFile(name, sum.Number), p)
}

// Past returns the summaries of at most most releases below a number that are not kept, the
// highest first. It reads no more files than it needs.
func (s *Store) Past(name string, below, most int) (list []app.ReleaseSummary, err error) {
	for n := below - 1; n > 0 && len(list) < most; n = n/pastSize*pastSize - 1 {
		p, err := s.readPast(name, n)
		if err != nil {
			return nil, fmt.Errorf("cannot read the former releases of %s: %w", name, err)
		}
		for _, r := range slices.Backward(p.Releases) {
			if r.Number < below && len(list) < most {
				list = append(list, r)
			}
		}
	}
	return list, nil
}

// PastRelease returns the summary of one release; false if there is none.
func (s *Store) PastRelease(name string, n int) (app.ReleaseSummary, bool, error) {
	p, err := s.readPast(name, n)
	at := slices.IndexFunc(p.Releases, func(r app.ReleaseSummary) bool { return r.Number == n })
	if err != nil || at < 0 {
		return app.ReleaseSummary{}, false, err
	}
	return p.Releases[at], true, nil
}
