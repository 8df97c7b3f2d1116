package doctor

import (
	"context"
	"strings"

	"dokku/agent/frontdoor"
)

// checkFrontDoors looks at the front doors of this server, if it has any.
func (d *examination) checkFrontDoors(ctx context.Context) []Finding {
	const check = "front doors"
	if len(d.set.FrontDoors) == 0 {
		return nil
	}
	var list []Finding
	var good []string
	for _, st := range frontdoor.States(ctx, d.Server, d.set, frontdoor.OfNginx) {
		found := st.Judge(d.Server.Version)
		if len(found) == 0 {
			good = append(good, st.Name)
		}
		for _, p := range found {
			health := HealthWarning
			if p.Grave {
				health = HealthProblem
			}
			list = append(list, wrong(check, health, p.Fix, "%s", p.Text))
		}
	}
	if len(good) > 0 {
		list = append(fine(check, "%s: every route is proven", strings.Join(good, ", ")), list...)
	}
	return list
}
