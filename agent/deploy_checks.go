package agent

import (
	"dokku/agent/checks"
	"time"
)

// CheckSettings says how long the gate waits for what, and where each value
// comes from. A view without an app has the server's own.
func CheckSettings(a View) (checks.Settings, error) {
	from := checks.Sources{ServerConfig: a.Settings.Config, Server: a.Settings.Checks}
	if a.App != nil {
		from.AppConfig, from.App = a.State.Config, a.State.Checks
	}
	return checks.Resolve(from)
}

// EffectiveChecks is CheckSettings with what the current release's CHECKS file
// sets, which wins.
func EffectiveChecks(a View) (checks.Settings, error) {
	settings, err := CheckSettings(a)
	if err != nil || a.Current == nil {
		return settings, err
	}
	src, ok := a.Current.Files[FileChecks]
	if !ok {
		return settings, nil
	}
	f, _, err := checks.ParseCHECKS([]byte(src), settings)
	return f.Settings, err
}

// checkPlan says which checks the types of a release have to pass.
func (s *Env) checkPlan(a View, r *Release) (checks.Plan, []checks.Warning, error) {
	settings, err := CheckSettings(a)
	if err != nil {
		return checks.Plan{}, nil, err
	}
	var file *checks.File
	var warnings []checks.Warning
	if src, ok := r.Files[FileChecks]; ok {
		f, w, err := checks.ParseCHECKS([]byte(src), settings)
		if err != nil {
			return checks.Plan{}, nil, err
		}
		file, warnings = &f, w
	}
	plan, more, err := checks.NewPlan(r.Control.Procfile.Types(), file, r.Control.AppJSON, settings)
	if err != nil {
		return plan, nil, err
	}
	plan.Domains = a.Domains()
	plan.Dial = s.dial
	return plan, append(warnings, more...), err
}

// waitToRetire is how long old web processes serve what they have after the
// switch.
func waitToRetire(v View) time.Duration {
	s, err := CheckSettings(v)
	if err != nil {
		return checks.Defaults().WaitToRetire
	}
	return s.WaitToRetire
}
