package engine

import (
	"slices"
	"strings"
)

// Owners are the apps that an image belongs to; see Image. It is never empty.
func Owners(label string, names []string) []string {
	var apps []string
	for _, name := range names {
		rest, ours := strings.CutPrefix(name, TagPrefix)
		app, _, _ := strings.Cut(rest, ":")
		if ours && app != "" && !strings.Contains(app, "/") && !slices.Contains(apps, app) {
			apps = append(apps, app)
		}
	}
	if len(apps) == 0 {
		return []string{label}
	}
	slices.Sort(apps)
	return apps
}

// NamesOf parts an image's names into those of an app and the rest; without an
// app all are its own.
func NamesOf(app string, names []string) (own, rest []string) {
	for _, name := range names {
		if app == "" || strings.HasPrefix(name, TagPrefix+app+":") {
			own = append(own, name)
		} else {
			rest = append(rest, name)
		}
	}
	return own, rest
}
