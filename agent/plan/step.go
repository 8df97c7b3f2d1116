package plan

import (
	"fmt"
	"net/netip"
	"strings"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/proxy"
)

// Action is what a step does.
type Action string

const (
	ActStart    Action = "start"    // create and start a container, or start it again
	ActFree     Action = "free"     // stop a container that holds a host port
	ActMark     Action = "mark"     // record containers as retiring
	ActPublish  Action = "publish"  // make the route live
	ActWithdraw Action = "withdraw" // remove the route
	ActDeadline Action = "deadline" // let wait-to-retire begin
	ActDue      Action = "due"      // leave stopping to the agent
	ActRename   Action = "rename"
	ActStop     Action = "stop"   // stop and keep
	ActRetire   Action = "retire" // stop and remove
	ActRemove   Action = "remove" // remove an image or network
	ActAdopt    Action = "adopt"  // give an image of the former name the app's own
	ActForget   Action = "forget" // drop retiring entries whose container is gone
)

// Step is one call to the engine or the proxy, or one write of the state.
type Step struct {
	Action  Action
	Process app.Process      // start
	Name    string           // container's name: start, free, stop, retire; new name: rename
	Address netip.Addr       // start
	Holder  *engine.Instance // start: what serves the host port again if this fails
	ID      string           // container or image or network
	Running bool             // retire: it has to be stopped first
	IDs     []string         // mark, deadline, forget
	Kind    engine.ResourceKind
	App     string       // remove: whose image
	Route   *proxy.Route // publish
	Cause   string
}

func (s Step) String() string {
	switch s.Action {
	case ActStart:
		text := fmt.Sprintf("start %s as %s at %s", s.Process, s.Name, s.Address)
		if s.Process.HostPort != 0 {
			text += fmt.Sprintf(" on port %d", s.Process.HostPort)
		}
		return text + because(s.Cause)
	case ActPublish:
		var up []string
		for _, u := range s.Route.Upstreams {
			up = append(up, u.String())
		}
		return fmt.Sprintf("publish v%d at [%s]", s.Route.Release, strings.Join(up, " ")) + because(s.Cause)
	case ActMark, ActDeadline, ActDue, ActForget:
		return fmt.Sprintf("%s %s", s.Action, strings.Join(s.IDs, " ")) + because(s.Cause)
	case ActRename:
		return fmt.Sprintf("rename %s to %s", s.ID, s.Name)
	case ActRemove:
		return fmt.Sprintf("remove %s %s", s.Kind, s.ID) + because(s.Cause)
	case ActAdopt:
		return "adopt image " + s.ID + because(s.Cause)
	case ActWithdraw:
		return "withdraw" + because(s.Cause)
	}
	return fmt.Sprintf("%s %s", s.Action, s.Name) + because(s.Cause)
}

func because(cause string) string {
	if cause == "" {
		return ""
	}
	return ": " + cause
}
