package dockerfile

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"dokku/build"
	"dokku/build/source"
)

// maxNamed is how many other files the error names.
const maxNamed = 3

// others returns the files of a tree that look like Dockerfiles, the ones with the
// shortest way from the root first.
func others(t *source.Tree) []string {
	var found []string
	for i := range t.Files {
		f := &t.Files[i]
		if !f.IsDir() && isDockerfile(path.Base(f.Path)) && !installed(f.Path) {
			found = append(found, f.Path)
		}
	}
	slices.SortStableFunc(found, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return found
}

// isDockerfile reports whether a name is one of those that people give Dockerfiles:
// Dockerfile.prod, web.dockerfile, dockerfile-web, Containerfile.
func isDockerfile(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"dockerfile", "containerfile"} {
		after, ok := strings.CutPrefix(name, word)
		if ok && (after == "" || strings.ContainsRune("._-", rune(after[0]))) && after != ".dockerignore" ||
			strings.HasSuffix(name, "."+word) {
			return true
		}
	}
	return false
}

// installed reports whether a path lies in a folder of installed packages, which
// bring Dockerfiles of their own.
func installed(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "/"), func(part string) bool {
		return part == "node_modules" || part == "vendor" || part == ".git"
	})
}

// missing is the reason of a revision without a Dockerfile where it is looked for. It says
// how to build one of the files that were found instead.
func missing(r build.Request, found, files []string) string {
	text := "it has no Dockerfile in " + r.Root()
	if len(found) == 0 {
		if len(files) > 0 {
			text += ", which has " + named(files)
		}
		return text + "; add one and push again"
	}
	first, which := found[0], "that one"
	if len(found) > 1 {
		which = first
	}
	text += fmt.Sprintf(", but %s; to build %s: ", named(found), which)
	if dir := path.Dir(first); dir != "." && path.Base(first) == defaultName {
		text += fmt.Sprintf("dokku builder:set %s build-dir %s, or, with all files of %s: ", r.App, path.Join(r.Dir, dir), cmp.Or(r.Dir, "the repository"))
	}
	return text + fmt.Sprintf("dokku builder-dockerfile:set %s dockerfile-path %s", r.App, first)
}

// named lists files for a message: "a, b, c and 2 more".
func named(files []string) string {
	names := strings.Join(files[:min(len(files), maxNamed)], ", ")
	if more := len(files) - maxNamed; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return names
}
