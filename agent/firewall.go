package agent

import "context"

// Filter has the rules of the firewall follow the apps (package firewall). It calls root's part only where
// something has changed, or always with anew.
func (s *Server) Filter(ctx context.Context, anew bool) error {
	host, err := s.Host()
	if err != nil {
		return err
	}
	return s.Env.Filter(ctx, host, anew)
}
