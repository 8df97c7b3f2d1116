package build

import (
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// Frontends are the images that may read a Dockerfile on every server: those that Docker
// publishes for the line # syntax=.
var Frontends = []string{"docker/dockerfile", "docker/dockerfile-upstream"}

// ParseFrontends reads a list of images that may read a Dockerfile too, separated by
// commas. One without a tag and a digest stands for all of its tags.
func ParseFrontends(value string) ([]string, error) {
	var list []string
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if _, err := reference.ParseNormalizedNamed(name); err != nil {
			return nil, fmt.Errorf("%q is not the name of an image: %w", name, err)
		}
		list = append(list, name)
	}
	return list, nil
}

// AllowedFrontend reports whether an image may read a Dockerfile: it is one of Frontends
// or of more.
func AllowedFrontend(image string, more []string) bool {
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(slices.Concat(Frontends, more), func(name string) bool {
		allowed, err := reference.ParseNormalizedNamed(name)
		if err != nil {
			return false
		}
		return ref.String() == allowed.String() || reference.IsNameOnly(allowed) && ref.Name() == allowed.Name()
	})
}
