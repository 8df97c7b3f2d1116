package agent

// agentRuns reports whether an agent works on this root.
func (s *Store) agentRuns() bool {
	l, free, err := s.tryLock(agentLock, "looking for the agent")
	if free {
		l.release()
	}
	return err == nil && !free
}

// agentLock is the name of the agent's own lock; it cannot be an app's name.
const agentLock = "_agent"
