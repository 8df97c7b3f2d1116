package doctor

import (
	"context"
	"time"

	"dokku/agent/backup"
	"dokku/agent/event"
)

// checkBackups reports what has a schedule of backups, and no proven one of late. Without a
// schedule there is no finding.
func (d *examination) checkBackups(context.Context) []Finding {
	const check = "backups"
	jobs, err := backup.Jobs(d.Server, event.Log{})
	if err != nil {
		return []Finding{wrong(check, HealthProblem, "", "%s", err)}
	}
	var list []Finding
	planned := false
	for _, j := range jobs {
		p, err := j.Plan()
		if err != nil {
			list = append(list, wrong(check, HealthProblem, "correct the file, or remove it and set it anew", "%s", err))
			continue
		}
		planned = planned || p.Schedule != ""
		ailment, err := j.Ailment(time.Now())
		switch {
		case err != nil:
			list = append(list, wrong(check, HealthProblem, "correct the file, or remove it", "%s", err))
		case ailment != "":
			list = append(list, wrong(check, HealthProblem, j.Try, "%s: %s", j.About, ailment))
		}
	}
	if planned && list == nil {
		return fine(check, "all that have a schedule are made and proven")
	}
	return list
}
