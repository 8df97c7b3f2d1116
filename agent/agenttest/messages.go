package agenttest

import (
	"regexp"
	"slices"
	"strings"
)

// messages are the refusals of a command that lost to another one. Their groups match
// the names in the message.
var messages = map[string]*regexp.Regexp{
	"gone":       regexp.MustCompile(`^App (\S+) does not exist$`),
	"undeployed": regexp.MustCompile(`^App (\S+) has not been deployed$`),
	"taken":      regexp.MustCompile(`^Name is already taken: app (\S+) exists$`),
	"former": regexp.MustCompile(`^Name is already taken: (\S+) is called (\S+) now: use that name, or free this one with dokku ps:restart \S+ ` +
		`\(processes from before the rename still run\)$`),
	"busy": regexp.MustCompile(`^cannot rename (\S+) yet: processes from when it was (\S+) still run: ` +
		`try again once they have finished \(dokku ps:restart \S+ replaces them\)$`),
	"moved": regexp.MustCompile(`^main (?:moved while this push waited; fetch and push again|is at [0-9a-f]{7} already: another push of it was accepted while this one waited)$`),
	// Dokku's own words; the second line is the fix.
	"locked":   regexp.MustCompile(`^(\S+) currently has a deploy lock in place. Exiting...` + "\n" + `Run 'apps:unlock \S+' to release the existing deploy lock$`),
	"unlocked": regexp.MustCompile(`^Unable to remove deploy lock: there is none$`),
	"domain":   regexp.MustCompile(`^Domain (\S+) belongs to app (\S+): remove it there first \(dokku domains:remove \S+ \S+\)$`),
}

// is returns a refusal: the message of that kind which names these.
func is(kind string, named ...string) refusal {
	return func(message string) bool {
		found := messages[kind].FindStringSubmatch(message)
		return found != nil && slices.Equal(found[1:], named)
	}
}

// never matches nothing: the command cannot be at this place of the order.
func never(string) bool { return false }

// Understood reports whether a message is a known one, and one line.
func Understood(message string) bool {
	for kind, m := range messages {
		if m.MatchString(message) {
			return kind == "locked" || !strings.Contains(message, "\n")
		}
	}
	return false
}
