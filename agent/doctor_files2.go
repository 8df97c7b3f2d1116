package agent

// sweep removes what git has left, unless somebody is at work there.
func (s *Server) sweep(app string) error {
	l, ok, err := s.Store.tryLock(app, "doctor")
	if err != nil || !ok {
		return err
	}
	defer l.release()
	return sweepRepository(s.Store.dir(app), Owner{})
}
