package app

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Properties of registry:set.
const (
	PropRegistry          = "server"
	PropImageRepo         = "image-repo"
	PropImageRepoTemplate = "image-repo-template"
	PropPushOnRelease     = "push-on-release"
	PropExtraTags         = "push-extra-tags"
)

// nameInTemplate is the one variable that a template of an image's name may have: Dokku's
// .AppName, or APP, as its tests and docket's write it.
var nameInTemplate = regexp.MustCompile(`\{\{-? *(\.AppName|\.?APP) *-?\}\}`)

// tag is a tag of an image, and number one that releases have.
var (
	tag    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)
	number = regexp.MustCompile(`^[0-9]+$`)
)

// CheckTags returns an error unless a list has tags that no release has.
func CheckTags(list string) error {
	for _, t := range Words(list) {
		if !tag.MatchString(t) {
			return fmt.Errorf("%q is not a tag of an image, such as latest", t)
		}
		if number.MatchString(t) {
			return fmt.Errorf("%q is a number, and the numbers of releases are tags already", t)
		}
	}
	return nil
}

// ImageRepoOf fills an app's name into a template of the names of images, as Dokku does.
// Other actions of Go's templates are an error.
func ImageRepoOf(template, app string) (string, error) {
	name := nameInTemplate.ReplaceAllLiteralString(template, app)
	if strings.Contains(name, "{{") || strings.Contains(name, "}}") {
		return "", fmt.Errorf("%q is no template: its one variable is {{ .AppName }}", template)
	}
	return strings.TrimSpace(name), nil
}

// RegistryProperty returns a property of registry:set: the app's, else the server's.
func (v View) RegistryProperty(name string) string {
	return cmp.Or(v.State.Registry[name], v.Settings.Registry[name])
}

// RegistryServer returns the registry that images are pushed to, with a slash at its end; ""
// for Docker Hub.
func (v View) RegistryServer() string { return RegistryServer(v.RegistryProperty(PropRegistry)) }

// RegistryServer is what the property server stands for.
func RegistryServer(value string) string {
	switch value = strings.TrimSuffix(strings.TrimSpace(value), "/"); value {
	case "", "docker.io", "hub.docker.com":
		return ""
	}
	return value + "/"
}

// ImageRepo returns the name of the app's images in a registry, without the registry.
func (v View) ImageRepo() string {
	name, _ := ImageRepoOf(v.RegistryProperty(PropImageRepoTemplate), v.Name)
	return cmp.Or(v.State.Registry[PropImageRepo], name, "dokku/"+v.Name)
}

// PushesImages reports whether the images of new releases are pushed to a registry.
func (v View) PushesImages() bool { return v.RegistryProperty(PropPushOnRelease) == "true" }

// ExtraTags are the names in the registry, beside that with its number, that the current
// release's image gets once the release is current; nil: none, or it is in no registry.
func (v View) ExtraTags() (names []string) {
	if !v.PushesImages() || v.Current == nil || v.Current.Remote == "" {
		return nil
	}
	for _, t := range Words(v.RegistryProperty(PropExtraTags)) {
		names = append(names, v.remoteRepo()+":"+t)
	}
	return names
}

// HasImages reports whether images of a name, without a tag, are the app's: on this server, or in
// its registry. Docker Hub has names like those on this server, too.
func (v View) HasImages(repository string) bool {
	return repository == "docker.io/dokku/"+v.Name || repository == v.remoteRepo()
}

func (v View) remoteRepo() string { return cmp.Or(v.RegistryServer(), "docker.io/") + v.ImageRepo() }

// RemoteImage returns the name of a release's image in the registry, with its number as the tag.
func (v View) RemoteImage(r *Release) string {
	return v.remoteRepo() + ":" + strconv.Itoa(r.Number)
}
