package store

import "dokku/agent/journal"

// Journal returns the file of the server's events.
func (s *Store) Journal() journal.File { return journal.File{Path: s.Own("log", "events.jsonl")} }

// Notifications returns the folder of the notifications that wait.
func (s *Store) Notifications() string { return s.Own("notify") }
