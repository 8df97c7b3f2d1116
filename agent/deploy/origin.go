package deploy

import (
	"cmp"
	"encoding/json"
	"fmt"

	"dokku/agent/app"
)

// Origin says of a push which command on this server made it: one that deploys an
// image, an archive or a branch of another repository.
type Origin struct {
	Command string     `json:"command"` // "git:from-image"
	Source  app.Source `json:"source"`
	// Adopt becomes the deploy branch of an app that has none; "": main or master.
	Adopt string `json:"adopt,omitempty"`
	// SkipDeploy: the ref moves, and nothing is deployed.
	SkipDeploy bool `json:"skip_deploy,omitempty"`
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
	if o == nil {
		return nil
	}
	return &o.Source
}

// adopts returns the branch that becomes the deploy branch if the app has none; "": the
// first of main and master that is pushed.
func (o *Origin) adopts() string {
	if o == nil {
		return ""
	}
	return o.Adopt
}
