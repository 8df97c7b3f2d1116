package herokuish

import (
	"fmt"
	"strings"

	"dokku/build"
	"dokku/build/container"
)

// What herokuish 0.11 and our script print before they give up.
const (
	noUser      = "The image lacks the user of the app"
	noBuildpack = "-----> Unable to select a buildpack"
	noFetch     = "-----> Unable to fetch custom buildpack from "
)

// maxNamed is how many files an error names.
const maxNamed = 5

// failure is the error of a build that failed.
func (j *job) failure(end container.End) error {
	for n := range end.Output {
		end.Output[n] = plain(end.Output[n])
	}
	for _, line := range end.Output {
		if url, ok := strings.CutPrefix(line, noFetch); ok {
			return &build.Error{Commit: j.Commit.Short, Output: end.Output, Reason: fmt.Sprintf("the buildpack %s cannot be fetched; "+
				"check its address and the server's network, or name another one: dokku config:set %s BUILDPACK_URL=URL", url, j.App)}
		}
		switch line {
		case noBuildpack:
			return &build.Error{Commit: j.Commit.Short, Output: end.Output, Reason: j.undetected()}
		case noUser:
			return &build.Error{Commit: j.Commit.Short, Output: end.Output, Reason: fmt.Sprintf("the image %s has no user %s; to name one that it has: dokku config:set %s %s=NAME",
				j.image, j.user, j.App, varUser)}
		}
	}
	step := "herokuish"
	if j.out.buildpack != "" {
		step = "the buildpack for " + j.out.buildpack
	}
	return end.Failure(j.Commit.Short, step)
}

// undetected says why no buildpack fits, and what helps.
func (j *job) undetected() string {
	if reason, err := named(j.Request); err == nil && reason != "" {
		return fmt.Sprintf("the buildpack that %s names does not fit the app: its bin/detect says no; correct it, or remove it so that the files decide", reason)
	}
	files, err := j.Source.Files(j.Commit.Tree, ".")
	list := strings.Join(files[:min(len(files), maxNamed)], ", ")
	if more := len(files) - maxNamed; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	if err != nil || list == "" {
		list = "no files"
	}
	return fmt.Sprintf("no buildpack of %s fits the app: %s has %s; buildpacks look for files such as package.json, requirements.txt, go.mod, Gemfile, pom.xml or composer.json; "+
		"add the one of your language, name a buildpack: dokku config:set %s BUILDPACK_URL=URL, or add a Dockerfile", j.image, j.Root(), list, j.App)
}
