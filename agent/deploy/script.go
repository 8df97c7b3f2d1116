package deploy

import (
	"context"
	"fmt"
	"path"
	"strings"

	"dokku/build/source"
)

// A script is a file of the pushed revision whose first line names an interpreter.
type script struct{ path, interpreter string }

// fault says why the kernel cannot start the script, although the image has it: Windows
// line ends make a carriage return a part of the interpreter's name.
func (s script) fault() string {
	if strings.HasSuffix(s.interpreter, "\r") {
		return fmt.Sprintf("%s has Windows line ends: %s", s.path, windows)
	}
	return fmt.Sprintf("the first line of %s names %s: is that in the image?", s.path, s.interpreter)
}

// script returns the script of the revision that most likely is the program of a command.
// The file has the program's name; where several have it, one with Windows line ends is
// the most likely. A failed read is as good as none: this is for a message only.
func (o *rollout) script(ctx context.Context, program string) (found script, ok bool) {
	src, err := source.Open(o.session.objects())
	if err != nil {
		return script{}, false
	}
	defer src.Close()
	c, err := src.Commit(o.release.Revision)
	if err == nil {
		c, err = src.Folder(ctx, c, o.release.BuildDir)
	}
	if err != nil {
		return script{}, false
	}
	tree, err := src.Tree(ctx, c, source.DefaultLimits)
	if err != nil {
		return script{}, false
	}
	for i := range tree.Files {
		name := tree.Files[i].Path
		if tree.Files[i].IsDir() || path.Base(name) != path.Base(program) {
			continue
		}
		data, _, err := src.File(c.Tree, name, maxFile)
		first, _, _ := strings.Cut(string(data), "\n")
		interpreter, is := strings.CutPrefix(first, "#!")
		if err != nil || !is {
			continue
		}
		if !ok || strings.HasSuffix(interpreter, "\r") {
			found, ok = script{path.Join(o.release.BuildDir, name), strings.TrimLeft(interpreter, " ")}, true
		}
	}
	return found, ok
}
