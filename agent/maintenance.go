package agent

import (
	"context"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
)

// SetMaintenancePage makes files, by their path, the app's own page for maintenance; nil
// goes back to the built-in one. On an error the app keeps the former one.
func (s *Server) SetMaintenancePage(ctx context.Context, name, op string, files map[string][]byte, log event.Log) error {
	o := deploy.Op{Name: op, Changes: deploy.ChangesRoute}
	return s.Env.With(ctx, name, o, log, func(x *deploy.Session) error {
		id := ""
		if files != nil {
			var err error
			if id, err = s.Env.Store.SavePage(name, files); err != nil {
				return err
			}
		}
		err := x.Update(ctx, o, func(st *app.State) error {
			st.MaintenancePage = id
			return nil
		})
		s.Env.Store.SweepPages(name, x.State.MaintenancePage)
		return err
	})
}
