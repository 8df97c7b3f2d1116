package hooks

import (
	"fmt"
	"path"
	"strings"

	"dokku/agent/app"
)

// A request is the command of an ssh client: one of git's services for an app, or a
// dokku command.
type request struct {
	service string // "receive-pack", "upload-pack", or ""
	app     string
	args    []string // of a dokku command; none means help
}

// services are the commands that a git client may run on a server. upload-archive is none:
// it unpacks whatever a branch names, and 839 bytes can name 10^10 files.
var services = map[string]bool{"receive-pack": true, "upload-pack": true}

// parseRequest reads SSH_ORIGINAL_COMMAND.
func parseRequest(line, root string) (request, error) {
	words, err := splitWords(line)
	if err != nil {
		return request{}, err
	}
	if len(words) > 0 && words[0] == "dokku" {
		words = words[1:]
	}
	if len(words) == 0 {
		return request{}, nil
	}
	args := words[1:]
	name, isGit := strings.CutPrefix(words[0], "git-")
	if words[0] == "git" && len(args) > 0 {
		name, args, isGit = args[0], args[1:], true
	}
	if !isGit {
		return request{args: words}, nil
	}
	if name == "upload-archive" {
		return request{}, fmt.Errorf("git archive --remote is not served here; clone the app and run git archive in the clone")
	}
	if !services[name] {
		return request{}, fmt.Errorf("cannot run git %q here: only receive-pack and upload-pack are allowed", name)
	}
	if len(args) != 1 {
		return request{}, fmt.Errorf("cannot run git %s with %d arguments: give the name of one app", name, len(args))
	}
	app, err := AppName(args[0], root)
	return request{service: name, app: app}, err
}

// AppName returns the app that a git client's path names. It accepts app, /app, ~/app,
// app.git and the repository's path below root.
func AppName(arg, root string) (string, error) {
	name := strings.TrimRight(arg, "/")
	if strings.HasPrefix(name, "/") {
		name = "/" + strings.TrimLeft(name, "/")
	}
	if below, ok := strings.CutPrefix(name, path.Clean(root)+"/"); ok {
		name = below
	} else {
		name = strings.TrimPrefix(strings.TrimPrefix(name, "/"), "~/")
	}
	name = strings.TrimSuffix(name, ".git")
	if err := app.ValidName(name); err != nil {
		return "", err
	}
	return name, nil
}
