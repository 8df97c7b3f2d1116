package dockerfile

import (
	"fmt"
	"path"
	"slices"
	"strings"

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

// missing is the reason of a repository without a Dockerfile in its root. It says how
// to build one of the files that were found instead.
func missing(found []string) string {
	if len(found) == 0 {
		return "it has no Dockerfile in its root; add one and push again (buildpacks are not supported yet)"
	}
	names := strings.Join(found[:min(len(found), maxNamed)], ", ")
	if more := len(found) - maxNamed; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	first := found[0]
	text := fmt.Sprintf("it has no Dockerfile in its root, but %s; to build that one: ln -s %s Dockerfile && git add Dockerfile, commit and push again",
		names, first)
	if len(found) > 1 {
		text = strings.Replace(text, "that one", first, 1)
	}
	if dir := path.Dir(first); dir != "." {
		text += fmt.Sprintf(" (COPY then starts at the root; to push %s alone: git push <dokku> $(git subtree split -P %s):<branch>)", dir, dir)
	}
	return text
}
