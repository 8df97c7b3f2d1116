package dockerfile

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"dokku/build"
)

// syntaxArg is the build argument that names a frontend, over the Dockerfile's own line.
const syntaxArg = "BUILDKIT_SYNTAX"

// syntaxLine matches the line that names a frontend, and lines that only some engines take
// for it.
var syntaxLine = regexp.MustCompile(`(?i)^\s*(?:#|//)\s*syntax\s*=\s*(\S.*)$`)

// frontend is the image that a Dockerfile or an argument asks for, to read the Dockerfile.
type frontend struct {
	image string
	where string // "Dockerfile:1", or the argument
	line  int    // of the Dockerfile; 0: the argument
	text  string // as it was written
}

// checkFrontend refuses a Dockerfile that an image reads which the server does not allow:
// that image decides what the build does, and gets the passwords of its base images.
func checkFrontend(name string, content []byte, r build.Request) error {
	for _, f := range frontends(name, content, r.BuildArgs) {
		if build.AllowedFrontend(f.image, r.Frontends) {
			continue
		}
		err := &build.Error{Commit: r.Commit.Short, Reason: fmt.Sprintf("%s: %q names an image that may not read a Dockerfile on this server, which allows %s; "+
			"remove it, or on the server: dokku builder-dockerfile:set --global allowed-syntax %s",
			f.where, f.text, strings.Join(append([]string{build.Frontends[0]}, r.Frontends...), ", "), f.image)}
		if f.line == 0 {
			return err
		}
		return &build.FileError{File: name, Line: f.line, Err: err}
	}
	return nil
}

// frontends are all images that an engine may be asked for. Engines differ in which line
// they take, if there are several, so all lines before the first instruction count.
func frontends(name string, content []byte, args map[string]string) []frontend {
	var list []frontend
	add := func(line int, text, value string) {
		where := "--build-arg"
		if line > 0 {
			where = fmt.Sprintf("%s:%d", name, line)
		}
		if image, _, _ := strings.Cut(strings.TrimSpace(value), " "); image != "" {
			list = append(list, frontend{image, where, line, text})
		}
	}
	if value, ok := args[syntaxArg]; ok {
		add(0, syntaxArg+"="+value, value)
	}
	content = bytes.TrimPrefix(content, []byte("\ufeff"))
	line := 0
	for text := range strings.SplitSeq(string(content), "\n") {
		line++
		text = strings.TrimSpace(text)
		if text != "" && !strings.HasPrefix(text, "#") && !strings.HasPrefix(text, "//") {
			break
		}
		if m := syntaxLine.FindStringSubmatch(text); m != nil {
			add(line, text, m[1])
		}
	}
	// The parser of newer engines also takes a line of JSON.
	if image, _, at, ok := parser.DetectSyntax(content); ok && len(list) == 0 && len(at) > 0 {
		add(max(1, at[0].Start.Line), "syntax="+image, image)
	}
	return list
}
