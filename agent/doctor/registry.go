package doctor

import (
	"context"
	"errors"
	"io/fs"

	"dokku/agent/registry"
)

// checkRegistry looks at the registry that this server has, if it has one.
func (d *examination) checkRegistry(ctx context.Context) []Finding {
	const check = "registry"
	v, err := registry.Read(d.Server.Env.Store)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		err = v.Answers(ctx)
	}
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "sudo dokku registry:serve starts it again",
			"%s does not answer, so pushes to it fail: %s", v.Server(), err)}
	}
	return fine(check, "%s answers", v.Server())
}
