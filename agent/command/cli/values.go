package cli

import (
	"strconv"
	"strings"
	"unicode/utf8"

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

// ShortID returns a container's id as Dokku shows it.
func ShortID(id string) string { return id[:min(11, len(id))] }
