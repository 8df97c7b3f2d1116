package agent

import (
	"crypto/rand"
	"errors"
	"os"
	"strings"
)

// identity names this root among all that use one engine. It is made once, by
// whoever makes the first network. Without one, which only a full disk brings about, nothing
// is labelled.
func (s *Store) identity() string {
	if id := s.knownIdentity(); id != "" {
		return id
	}
	f, err := os.CreateTemp(s.own(), ".id")
	if err != nil {
		return ""
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(strings.ToLower(rand.Text()) + "\n")
	if err = errors.Join(err, f.Close()); err == nil {
		os.Link(f.Name(), s.own("id")) // unless somebody was quicker
	}
	return s.knownIdentity()
}

func (s *Store) knownIdentity() string {
	id, _ := os.ReadFile(s.own("id"))
	return strings.TrimSpace(string(id))
}

// LogFile is the host's log.
func (s *Store) LogFile() string { return s.own("log", "dokku.log") }
