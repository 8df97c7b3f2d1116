package app

import (
	"errors"
	"fmt"
	"strconv"

	"dokku/agent/event"
)

// Source is where a revision came from that nobody pushed. The kinds are Dokku's words.
type Source struct {
	Kind string `json:"kind"` // SourceImage, SourceSync, or the type of an archive
	// From is an image, an address without secrets, or a repository and a revision.
	From string `json:"from"`
}

// Synced is a revision that was fetched and not deployed. A later ps:rebuild needs to know
// where it came from: relative URLs of submodules begin there.
type Synced struct {
	Revision string `json:"revision"`
	Source   Source `json:"source"`
}

// Declared is what a tool says of where an app came from that it deployed by means of its
// own, in the words of its choice. The next release ends it.
type Declared struct {
	Source   string `json:"source,omitempty"`
	Metadata string `json:"metadata,omitempty"`
	Image    string `json:"image,omitempty"`   // git:set source-image
	Release  int    `json:"release,omitempty"` // the release that was current; 0: none
}

// The kinds of sources beside the types of archives.
const (
	SourceImage = "docker-image"
	SourceSync  = "git-sync"
	// SourceImport: of an app of another server, with its history (dokku import).
	SourceImport = "import"
)

// GitLimit returns the limit of what a command or a build takes in that git:set --global
// set; otherwise if none is set. An invalid value, which somebody must have written by
// hand, is an error.
func (s Settings) GitLimit(name string, otherwise int64) (int64, error) {
	value := s.Git[name]
	if value == "" {
		return otherwise, nil
	}
	if err := CheckLimit(value); err != nil {
		return 0, fmt.Errorf("cannot use %s %q of the server: %w", name, event.OneLine(value), err)
	}
	return strconv.ParseInt(value, 10, 64)
}

// CheckLimit checks the value of such a limit.
func CheckLimit(value string) error {
	if n, err := strconv.ParseInt(value, 10, 64); err != nil || n < 1 {
		return errors.New("it has to be a number above 0")
	}
	return nil
}
