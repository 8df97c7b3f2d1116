package cli

import (
	"strings"

	"dokku/agent/app"
)

// Inert returns the properties of a component of Dokku's that is not here, such as another
// proxy: values are stored and reported, and setting one says why it has no effect.
func Inert(noun, why string, list ...Property) Properties {
	for i := range list {
		list[i].Inert = why
		if list[i].Check == nil {
			list[i].Check = func(string) error { return nil }
		}
	}
	prefix := noun + ":"
	return Properties{
		Noun: noun, Role: Operator, List: list, Stored: prefix,
		Get:    func(st *app.State, name string) string { return st.Inert[prefix+name] },
		Put:    func(st *app.State, name, value string) { Put(&st.Inert, prefix+name, value) },
		Server: func(set *app.Settings) *map[string]string { return &set.Inert },
	}
}

// InertCommands are NOUN:set and NOUN:report of such a component.
func InertCommands(name string, p Properties) []Spec {
	rep := p.Reporter()
	rep.Inert = true
	return []Spec{
		rep.Spec("Show the settings of " + name + ", which is not here"),
		p.Spec("Store a setting of " + name + ", which is not here"),
	}
}

// Named returns properties with these names: "NAME", or "NAME=DEFAULT".
func Named(names ...string) (list []Property) {
	for _, name := range names {
		name, value, _ := strings.Cut(name, "=")
		list = append(list, Property{Name: name, Default: value})
	}
	return list
}

// ForServer makes properties those of the server alone.
func ForServer(list []Property) []Property {
	for i := range list {
		list[i].OnlyServer = true
	}
	return list
}
