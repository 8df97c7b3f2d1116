package app

import (
	"maps"
	"slices"
)

// Redirect sends the visitors of a domain to another one.
type Redirect struct {
	To   string `json:"to"`
	Code int    `json:"code"`
}

// Auth is the app's access by name and password.
type Auth struct {
	Enabled bool `json:"enabled,omitempty"`
	// Users are hashes of passwords, by the users' names.
	Users map[string]string `json:"users,omitempty"`
	// AllowedIPs are addresses and ranges, as people gave them, that need no password.
	AllowedIPs []string `json:"allowed_ips,omitempty"`
	// Domains are those at which visitors are asked, sorted. While the app has none of them,
	// visitors are asked at all of its domains.
	Domains []string `json:"domains,omitempty"`
}

func (a *Auth) clone() *Auth {
	if a == nil {
		return nil
	}
	return &Auth{a.Enabled, maps.Clone(a.Users), slices.Clone(a.AllowedIPs), slices.Clone(a.Domains)}
}

// ChangingAuth returns the access for a change of it, which st then has.
func (st *State) ChangingAuth() *Auth {
	if st.Auth == nil {
		st.Auth = &Auth{}
	}
	if st.Auth.Users == nil {
		st.Auth.Users = map[string]string{}
	}
	return st.Auth
}

// Asks reports whether visitors are asked for a password or an address.
func (a *Auth) Asks() bool { return a != nil && a.Enabled }

// PagesDir is the folder of the pages for maintenance, in the app's own files.
const PagesDir = "maintenance"

// Names are the domains to which the app answers, and those that it redirects.
func (v View) Names() []string {
	names := v.Domains()
	if v.State.DomainsDisabled {
		return names
	}
	for _, from := range slices.Sorted(maps.Keys(v.State.Redirects)) {
		if !slices.Contains(names, from) {
			names = append(slices.Clip(names), from)
		}
	}
	return names
}
