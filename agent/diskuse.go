package agent

import (
	"context"

	"dokku/agent/deploy"
)

// DiskUse returns what an app keeps on the server's disk.
func (s *Server) DiskUse(ctx context.Context, name string) (deploy.DiskUse, error) {
	v, err := s.View(name)
	if err != nil {
		return deploy.DiskUse{}, err
	}
	return s.Env.DiskUse(ctx, v)
}
