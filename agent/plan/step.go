package plan

import (
	"fmt"
	"net/netip"
	"strings"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/proxy"
)

// Action is the kind of a Step.
type Action string

// The actions.
const (
	ActStart    Action = "start"    // create and start a container, or start it again
	ActFree     Action = "free"     // stop a container that holds a host port
	ActYield    Action = "yield"    // stop and remove a container beside which another may not start
	ActMark     Action = "mark"     // record containers as retiring
	ActPublish  Action = "publish"  // make the route live
	ActWithdraw Action = "withdraw" // remove the route
	ActDeadline Action = "deadline" // start the wait to retire
	ActDue      Action = "due"      // leave the stop to the agent
	ActRename   Action = "rename"
	ActStop     Action = "stop"   // stop and keep
	ActRetire   Action = "retire" // stop and remove
	ActRemove   Action = "remove" // remove an image or network
	ActAdopt    Action = "adopt"  // tag an image of the former name with the new one
	ActTag      Action = "tag"    // give an image a name that another one may have
	ActReset    Action = "reset"  // forget the restarts of a container
	ActForget   Action = "forget" // drop the retiring entries of removed containers
)

// Doing says what a step that takes long does, as in "still stopping hello.web.1"; "" if
// it is over at once.
func (s Step) Doing() string {
	switch s.Action {
	case ActStart:
		return "starting " + s.Process.String()
	case ActFree, ActYield, ActStop, ActRetire:
		return "stopping " + s.Name
	case ActPublish, ActWithdraw:
		return "changing the route"
	case ActRemove:
		return "removing the old " + string(s.Kind)
	}
	return ""
}

// Step is one call of the engine or the proxy, or one write of the state. Each field
// names the actions that use it.
type Step struct {
	Action  Action
	Process app.Process // start
	Name    string      // container's name: start, free, yield, stop, retire, reset; new name: rename, tag
	Address netip.Addr  // start
	// First and Count are the group of a start on the swarm; 0: on this machine.
	First, Count int
	Holder       *engine.Instance // start: the container that gets its host port back if this fails
	ID           string           // container, image or network
	Running      bool             // yield, retire: stop it first
	Kill         bool             // yield, retire: do not give it time to end
	IDs          []string         // mark, deadline, forget
	Short        bool             // deadline: after ShortRetire at most
	Kind         engine.ResourceKind
	App          string       // remove: the image's app
	Route        *proxy.Route // publish
	Cause        string
}

// String returns the step as one line: action, target, cause.
func (s Step) String() string {
	switch s.Action {
	case ActStart:
		text := fmt.Sprintf("start %s as %s at %s", s.Process, s.Name, s.Address)
		if s.Count > 0 {
			text = fmt.Sprintf("start %s on the swarm, of %d from %d on", s.Process, s.Count, s.First)
		}
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
	case ActTag:
		return fmt.Sprintf("tag image %s as %s", s.ID, s.Name)
	case ActWithdraw:
		return "withdraw" + because(s.Cause)
	case ActRetire:
		if s.Kill {
			return fmt.Sprintf("kill %s", s.Name) + because(s.Cause)
		}
	}
	return fmt.Sprintf("%s %s", s.Action, s.Name) + because(s.Cause)
}

func because(cause string) string {
	if cause == "" {
		return ""
	}
	return ": " + cause
}
