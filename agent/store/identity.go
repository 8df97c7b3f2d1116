package store

import (
	"crypto/rand"
	"errors"
	"os"
	"strings"
)

// Identity names this root among all that use one engine. It is made once, by
// whoever makes the first network. Without one, which only a full disk brings about, nothing
// is labelled.
func (s *Store) Identity() string {
	if id := s.KnownIdentity(); id != "" {
		return id
	}
	f, err := os.CreateTemp(s.Own(), ".id")
	if err != nil {
		return ""
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(strings.ToLower(rand.Text()) + "\n")
	if err = errors.Join(err, f.Close()); err == nil {
		os.Link(f.Name(), s.Own("id")) // unless somebody was quicker
	}
	return s.KnownIdentity()
}

func (s *Store) KnownIdentity() string {
	id, _ := os.ReadFile(s.Own("id"))
	return strings.TrimSpace(string(id))
}

// LogFile is the host's log.
func (s *Store) LogFile() string { return s.Own("log", "dokku.log") }
