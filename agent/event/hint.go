package event

import (
	"regexp"
	"strings"
)

// RemoteVar is the environment variable by which the forced command of a key tells the
// hooks and commands how their reader runs a command: "ssh dokku@example.com".
const RemoteVar = "DOKKU_REMOTE"

// hint is a command of this program in a message: "dokku ps:start hello". Dokku's own
// messages put theirs into backquotes or begin with "Usage:", and stay, as do commands that
// only make sense on the server.
var hint = regexp.MustCompile(`(Usage: |on the old server: |there: |@\S+: |on the server: |&& |sudo )?\bdokku ((?:--[a-z]+ )?` +
	`(?:[a-z][a-z-]*:[a-z-]+|backup|cleanup|config|doctor|enter|logs|ps|restore|run|url|urls)(?:$|[ \n.,:;)'"]))`)

// files is a hint that names files, which are on the reader's machine.
var files = regexp.MustCompile(`\bdokku (certs:(?:add|update) \S+) CRT KEY`)

// Hints returns a message whose commands read as its reader can type them: remote is what
// comes before a command over ssh, "ssh dokku@example.com", or another name of the program on
// the server itself. A reader on the server, with "", gets the message as it is. Commands of
// another server, from which apps come, stay.
func Hints(text, remote string) string {
	if remote == "" {
		return text
	}
	over := strings.HasPrefix(remote, "ssh ")
	if over {
		text = files.ReplaceAllString(text, "tar c CRT KEY | dokku $1")
	}
	return hint.ReplaceAllStringFunc(text, func(s string) string {
		m := hint.FindStringSubmatch(s)
		switch m[1] {
		case "":
		case "on the server: ", "&& ", "sudo ":
			if over {
				return s
			}
		default:
			return s
		}
		return m[1] + remote + " " + m[2]
	})
}
