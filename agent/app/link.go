package app

import "strings"

// Link is a service, such as a database, that an app uses. The app's containers join the
// service's network. Package services has the services.
type Link struct {
	Kind string `json:"kind"` // "postgres"
	Name string `json:"name"`
}

// ownerPrefix begins the names of services as owners of containers and networks. No app's
// name begins with it.
const ownerPrefix = "_"

// Owner returns the service's name as the owner of its containers, network and lock.
func (l Link) Owner() string { return ownerPrefix + l.Kind + "." + l.Name }

// ServiceOf returns the service that an owner of containers is; ok is false for an app.
func ServiceOf(owner string) (l Link, ok bool) {
	rest, ok := strings.CutPrefix(owner, ownerPrefix)
	kind, name, dot := strings.Cut(rest, ".")
	return Link{kind, name}, ok && dot
}

func (l Link) String() string { return l.Kind + " " + l.Name }
