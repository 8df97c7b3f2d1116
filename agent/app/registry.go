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
)

// nameInTemplate is the one variable that a template of an image's name may have.
var nameInTemplate = regexp.MustCompile(`\{\{-? *\.AppName *-?\}\}`)

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

// RemoteImage returns the name of a release's image in the registry, with its number as the tag.
func (v View) RemoteImage(r *Release) string {
	return cmp.Or(v.RegistryServer(), "docker.io/") + v.ImageRepo() + ":" + strconv.Itoa(r.Number)
}
