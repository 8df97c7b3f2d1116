package plan

import (
	"slices"

	"dokku/agent/engine"
)

// tag gives the current image the app's name without a version, before the image that had it
// is removed. An image of Dokku's that has the name keeps it.
func (p *planner) tag() {
	name := engine.Latest(p.d.App)
	for _, i := range p.w.Images {
		if p.d.Image != "" && i.ID == p.d.Image && !slices.Contains(i.Tags, name) && !slices.Contains(p.w.Taken, name) {
			p.add(Step{Action: ActTag, ID: i.ID, Name: name})
			return
		}
	}
}
