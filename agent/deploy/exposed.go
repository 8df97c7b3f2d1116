package deploy

import (
	"slices"

	"dokku/agent/app"
)

// detectPort returns the web port of an image: the first of the ports in the order
// of what was built that the image has, else the lowest that it has, such as a base
// image's, else DefaultPort. has is ascending.
func detectPort(ordered, has []int) int {
	for _, p := range ordered {
		if slices.Contains(has, p) {
			return p
		}
	}
	if len(has) > 0 {
		return has[0]
	}
	return app.DefaultPort
}

// hintPorts says which of several exposed ports web has, unless ports:set chose it.
func hintPorts(x *Session, r *app.Release, has []int) {
	if len(has) < 2 || r.Port != r.Detected || len(x.State.Ports) > 0 {
		return
	}
	others := slices.DeleteFunc(slices.Clone(has), func(p int) bool { return p == r.Port })
	x.Log.Step("The image exposes %d ports: web listens on %d. If it is %d instead: dokku ports:set %s http:80:%d",
		len(has), r.Port, others[0], x.Name, others[0])
}
