package dockerfile

import (
	"fmt"
	"path"
	"strings"

	"dokku/build/source"
)

// Builder says how an image is made of a tree.
type Builder struct {
	Kind string // "Dockerfile"
	Path string // of the Dockerfile, from the root of the repository
}

// String is what follows "Building app from".
func (b Builder) String() string { return b.Path }

// maxDockerfile is the size in bytes of the largest Dockerfile.
const maxDockerfile = 1 << 20

// Detect chooses the builder for a commit. dockerfile is the app's setting of
// the Dockerfile's path; "" means Dockerfile in the root.
func Detect(s *source.Source, c source.Commit, dockerfile string) (Builder, error) {
	name, err := dockerfilePath(dockerfile)
	if err != nil {
		return Builder{}, err
	}
	_, ok, err := s.File(c.Tree, name, maxDockerfile)
	if err != nil {
		return Builder{}, err
	}
	if ok {
		return Builder{Kind: "Dockerfile", Path: name}, nil
	}
	if other := sibling(s, c, name); other != "" {
		return Builder{}, fmt.Errorf("cannot build %s: it has no %s but %s; rename that and push again", c.Short, name, other)
	}
	if dockerfile != "" {
		return Builder{}, fmt.Errorf("cannot build %s: it has no %s, which the app's dockerfile-path names; "+
			"add the file or change the setting", c.Short, name)
	}
	return Builder{}, fmt.Errorf("cannot build %s: it has no Dockerfile in its root; add one and push again "+
		"(buildpacks are not supported yet)", c.Short)
}

func dockerfilePath(setting string) (string, error) {
	if setting == "" {
		return "Dockerfile", nil
	}
	clean := path.Clean(setting)
	if path.IsAbs(setting) || clean == "." || clean == ".." || strings.HasPrefix(clean, "../") {
		return "", fmt.Errorf("cannot use %q as the path of a Dockerfile: it is not a path inside the repository", setting)
	}
	return clean, nil
}

// sibling finds a file beside name that differs in case only.
func sibling(s *source.Source, c source.Commit, name string) string {
	files, err := s.Files(c.Tree, path.Dir(name))
	if err != nil {
		return ""
	}
	for _, f := range files {
		if strings.EqualFold(f, path.Base(name)) {
			return path.Join(path.Dir(name), f)
		}
	}
	return ""
}
