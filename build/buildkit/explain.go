package buildkit

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/command"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"dokku/build"
)

// maxExplained is the size in bytes of the largest Dockerfile that explain reads.
const maxExplained = 1 << 20

// explain adds to an error what the Dockerfile tells about its cause. A Dockerfile that
// cannot be read or parsed tells nothing.
func explain(e *build.Error, r job) {
	content, _, err := r.Source.Read(r.Commit, r.dockerfile, maxExplained)
	if err != nil {
		return
	}
	file, err := parser.Parse(bytes.NewReader(content))
	if err != nil {
		return
	}
	_, _, _, chosen := parser.DetectSyntax(content)
	switch {
	case strings.Contains(e.Reason, "dockerfile parse error") && !chosen:
		explainHeredoc(e, file.AST.Children)
	case strings.Contains(e.Reason, "invalid response status"):
		explainURL(e, file.AST.Children)
	}
}

// explainHeredoc says that an engine takes the text of a heredoc for instructions: the
// parser here, a newer one, reads the same file.
func explainHeredoc(e *build.Error, lines []*parser.Node) {
	for _, n := range lines {
		if len(n.Heredocs) > 0 {
			e.Reason += fmt.Sprintf("; this engine does not read the heredoc (<<) of line %d; "+
				"write # syntax=docker/dockerfile:1 as the first line, or upgrade Docker to 23 or later", n.StartLine)
			return
		}
	}
}

// explainURL names what ADD could not fetch: the engine tells only the status.
func explainURL(e *build.Error, lines []*parser.Node) {
	var urls []string
	for _, n := range lines {
		if !strings.EqualFold(n.Value, command.Add) {
			continue
		}
		for word := n.Next; word != nil; word = word.Next {
			if strings.HasPrefix(word.Value, "http://") || strings.HasPrefix(word.Value, "https://") {
				urls = append(urls, word.Value)
			}
		}
	}
	if len(urls) > 0 {
		e.Reason += "; check the URL: ADD " + strings.Join(urls, ", or ADD ")
	}
}
