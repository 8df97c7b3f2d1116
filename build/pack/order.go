package pack

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// builderScheme begins the URI of a buildpack that the builder has.
const builderScheme = "urn:cnb:builder:"

// order returns the order.toml of the buildpacks that a setting names, else of those that
// the revision names; nil: the builder's own order.
func (p project) order(i builderImage, setting []string) ([]byte, error) {
	refs, where := p.group, p.path
	if len(setting) > 0 {
		refs, where = nil, "buildpacks:list"
		for _, s := range setting {
			refs = append(refs, parseReference(s))
		}
	}
	if len(refs) == 0 {
		return nil, nil
	}
	var group []buildpack
	for _, ref := range refs {
		b, err := i.resolve(ref)
		if err != nil {
			return nil, fmt.Errorf("%s names the buildpack %s, %w", where, ref, err)
		}
		group = append(group, b)
	}
	return encodeOrder(group)
}

// encodeOrder writes an order.toml with one group.
func encodeOrder(group []buildpack) ([]byte, error) {
	type element struct {
		ID      string `toml:"id"`
		Version string `toml:"version"`
	}
	type entry struct {
		Group []element `toml:"group"`
	}
	var e entry
	for _, b := range group {
		e.Group = append(e.Group, element(b))
	}
	var out bytes.Buffer
	err := toml.NewEncoder(&out).SetIndentTables(true).Encode(struct {
		Order []entry `toml:"order"`
	}{[]entry{e}})
	return out.Bytes(), err
}

// herokuURL is the address that buildpacks:add makes of a name such as heroku/nodejs.
var herokuURL = regexp.MustCompile(`^https://github\.com/([\w-]+)/heroku-buildpack-([\w-]+)\.git$`)

// parseReference reads a buildpack of buildpacks:add: "heroku/nodejs",
// "heroku/nodejs@3.2.0", or the address that Dokku makes of the name.
func parseReference(s string) reference {
	if m := herokuURL.FindStringSubmatch(s); m != nil {
		s = m[1] + "/" + m[2]
	}
	if strings.Contains(s, "://") || strings.HasPrefix(s, "git@") {
		return reference{URI: s}
	}
	id, version, _ := strings.Cut(strings.TrimPrefix(s, builderScheme), "@")
	return reference{ID: id, Version: version}
}

// String is how the reference names the buildpack.
func (r reference) String() string {
	switch {
	case r.ID == "":
		return r.URI
	case r.Version == "":
		return r.ID
	}
	return r.ID + "@" + r.Version
}

// resolve finds the buildpack of the builder image that a reference names. Its errors go
// on after the name.
func (i builderImage) resolve(r reference) (buildpack, error) {
	if rest, ok := strings.CutPrefix(r.URI, builderScheme); ok {
		r = parseReference(rest)
	}
	if r.URI != "" || r.ID == "" {
		return buildpack{}, fmt.Errorf("which is not in the builder image %s; only buildpacks of that image can be used: name one by its id (%s), or choose a builder image that has it",
			i.name, i.examples())
	}
	versions := slices.DeleteFunc(slices.Clone(i.buildpacks), func(b buildpack) bool { return b.ID != r.ID })
	switch {
	case len(versions) == 0:
		return buildpack{}, fmt.Errorf("which the builder image %s does not have; it has %s", i.name, i.examples())
	case r.Version == "" && len(versions) == 1:
		return versions[0], nil
	case r.Version == "":
		return buildpack{}, fmt.Errorf("of which the builder image %s has several versions; name one: %s", i.name, join(versions))
	}
	for _, b := range versions {
		if b.Version == r.Version {
			return b, nil
		}
	}
	return buildpack{}, fmt.Errorf("of which the builder image %s has only %s", i.name, join(versions))
}

// maxExamples is how many buildpacks a message names.
const maxExamples = 8

// examples lists some ids of the builder's buildpacks.
func (i builderImage) examples() string {
	var ids []string
	for _, b := range i.buildpacks {
		if !slices.Contains(ids, b.ID) {
			ids = append(ids, b.ID)
		}
	}
	slices.Sort(ids)
	if more := len(ids) - maxExamples; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(ids[:maxExamples], ", "), more)
	}
	return strings.Join(ids, ", ")
}

func join(list []buildpack) string {
	var texts []string
	for _, b := range list {
		texts = append(texts, b.String())
	}
	return strings.Join(texts, ", ")
}
