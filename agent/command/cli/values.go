package cli

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"dokku/agent/engine"
	"dokku/agent/event"
)

// VisibleValue returns a value on one line. It quotes a value with control characters as
// in Go.
func VisibleValue(v string) string {
	if event.Printable(v) != v {
		return strconv.Quote(v)
	}
	return v
}

// CheckKey returns an error unless a POSIX shell allows the name for a variable.
func CheckKey(key string) error {
	ok := key != "" && (key[0] < '0' || key[0] > '9') && strings.Trim(key, keyLetters) == ""
	if !ok {
		return Refuse("Invalid key name: '%s'", event.OneLine(key))
	}
	return nil
}

// CheckValue returns an error for a value that an environment cannot hold or a JSON file
// cannot store.
func CheckValue(key, value string) error {
	switch {
	case strings.Contains(value, "\x00"):
		return Refuse("Invalid value for key '%s': it contains a NUL byte, which an environment cannot hold", key)
	case !utf8.ValidString(value):
		return Refuse("Invalid value for key '%s': it is not valid UTF-8 and cannot be stored unchanged", key)
	}
	return nil
}

const keyLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// ShortID returns a container's id as Dokku shows it. That of a process on a swarm ends with its place in its group.
func ShortID(id string) string {
	group, slot, placed := strings.Cut(id, ".")
	if group = group[:min(11, len(group))]; placed {
		return group + "." + slot
	}
	return group
}

// OnNode is the command by which a swarm's node finds the container of a process.
func OnNode(i engine.Instance) string {
	_, slot, _ := strings.Cut(i.ID, ".")
	n, _ := strconv.Atoi(slot)
	group := engine.Spec{App: i.App, Type: i.Type, Attempt: i.Attempt, Placement: &engine.Placement{First: i.Index - n + 1}}.GroupName()
	return fmt.Sprintf("docker ps -q -f name=%s.%s.", group, slot)
}
