package app

import (
	"fmt"
	"regexp"
	"strings"

	"dokku/agent/event"
)

// The forms of a buildpack: a name of Heroku's, an address, and the id of a Cloud Native
// Buildpack with its version. The first two are Dokku's own (plugins/buildpacks).
var (
	buildpackName    = regexp.MustCompile(`^([\w-]+)/([\w-]+)$`)
	buildpackAddress = regexp.MustCompile(`^(http|https|git)(://|@)([^/:]+)[/:]([^/:]+)/(.+)(.git(#derp)?)?$`)
	buildpackVersion = regexp.MustCompile(`^[\w-]+/[\w.-]+@[\w.-]+$`)
)

// Buildpack returns a buildpack as buildpacks:list shows it. A name such as heroku/nodejs
// becomes the address of its repository, as in Dokku; pack reads the name back from it.
func Buildpack(text string) (string, error) {
	switch {
	case text == "":
		//lint:ignore ST1005 a message of Dokku's
		return "", fmt.Errorf("Must specify a buildpack url or reference")
	case buildpackName.MatchString(text):
		owner, name, _ := strings.Cut(text, "/")
		if owner == "heroku-community" {
			owner = "heroku"
		}
		return fmt.Sprintf("https://github.com/%s/heroku-buildpack-%s.git", owner, name), nil
	case !strings.ContainsAny(text, " \t\r\n") && (buildpackAddress.MatchString(text) || buildpackVersion.MatchString(text)):
		return text, nil
	}
	//lint:ignore ST1005 a message of Dokku's
	return "", fmt.Errorf("Invalid buildpack specified: %s", event.OneLine(text))
}
