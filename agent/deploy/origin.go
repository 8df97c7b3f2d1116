package deploy

import (
	"cmp"
	"encoding/json"
	"fmt"

	"dokku/agent/app"
)

// Origin says of a push what on this server made it: a command that deploys an image, an
// archive or a branch of another repository, or a detached push.
type Origin struct {
	Command string     `json:"command"` // "git:from-image"; "": a client's push
	Source  app.Source `json:"source"`
	// Adopt becomes the deploy branch of an app that has none; "": main or master.
	Adopt string `json:"adopt,omitempty"`
	// SkipDeploy: the ref moves, and nothing is deployed.
	SkipDeploy bool `json:"skip_deploy,omitempty"`
	// Deploy is the number of a detached push's deploy, which has a record already; 0: the
	// push is none.
	Deploy int `json:"deploy,omitempty"`
}

// OriginVar is the environment variable by which such a command tells the hooks of its
// push. No client of ssh can set it: the forced command's environment begins empty.
const OriginVar = "DOKKU_PUSH_ORIGIN"

// String is the value of OriginVar.
func (o Origin) String() string {
	data, _ := json.Marshal(o) // texts always have JSON
	return string(data)
}

// ParseOrigin reads the value of OriginVar; nil for a client's push.
func ParseOrigin(value string) (*Origin, error) {
	if value == "" {
		return nil, nil
	}
	o := &Origin{}
	if err := json.Unmarshal([]byte(value), o); err != nil {
		return nil, fmt.Errorf("cannot read the variable %s, which only commands of dokku set: %w", OriginVar, err)
	}
	return o, nil
}

// cause is what a release of the push names as its cause.
func (o *Origin) cause() string {
	if o == nil {
		return "push"
	}
	return cmp.Or(o.Command, "push")
}

// source is where the revision of the push came from; nil: from a client.
func (o *Origin) source() *app.Source {
	if o == nil || o.Source == (app.Source{}) {
		return nil
	}
	return &o.Source
}

// deploy is the number of the push's deploy; 0: it has none yet.
func (o *Origin) deploy() int {
	if o == nil {
		return 0
	}
	return o.Deploy
}

// adopts returns the branch that becomes the deploy branch if the app has none; "": the
// first of main and master that is pushed.
func (o *Origin) adopts() string {
	if o == nil {
		return ""
	}
	return o.Adopt
}
