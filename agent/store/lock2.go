package store

// AgentRuns reports whether an agent works on this root.
func (s *Store) AgentRuns() bool {
	l, free, err := s.TryLock(AgentLock, "looking for the agent")
	if free {
		l.Release()
	}
	return err == nil && !free
}

// AgentLock is the name of the agent's own lock; it cannot be an app's name.
const AgentLock = "_agent"
