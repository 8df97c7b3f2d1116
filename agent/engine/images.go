package engine

import (
	"regexp"
	"slices"
	"strings"
)

// Latest is the name of the image of an app's current release, as Dokku has it.
func Latest(app string) string { return TagPrefix + app + ":latest" }

// ownName matches the names that deploys give their images.
var ownName = regexp.MustCompile(`^` + TagPrefix + `[^:/]+:[0-9a-f]{12}$`)

// OfDokku reports whether an image is one that Dokku made, with which this program shares
// the labels of apps and TagPrefix.
func OfDokku(labels map[string]string, names []string) bool {
	return labels["org.label-schema.vendor"] == "dokku" && !slices.ContainsFunc(names, ownName.MatchString)
}

// Owners returns the apps that own an image with these names and the app label, sorted;
// see Image. The list is never empty.
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

// NamesOf splits an image's names into those of an app and the rest. For app "" all names
// that begin with TagPrefix are own.
func NamesOf(app string, names []string) (own, rest []string) {
	prefix := TagPrefix
	if app != "" {
		prefix += app + ":"
	}
	for _, name := range names {
		if strings.HasPrefix(name, prefix) {
			own = append(own, name)
		} else {
			rest = append(rest, name)
		}
	}
	return own, rest
}
