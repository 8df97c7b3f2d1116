package cli

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"dokku/agent/event"
)

// VisibleValue shows a value on one line; one that would act on a terminal is
// quoted as in Go.
func VisibleValue(v string) string {
	if event.Printable(v) != v {
		return strconv.Quote(v)
	}
	return v
}

// CheckKey accepts the names that a POSIX shell allows for variables.
func CheckKey(key string) error {
	ok := key != "" && (key[0] < '0' || key[0] > '9') && strings.Trim(key, keyLetters) == ""
	if !ok {
		return Refuse("Invalid key name: '%s'", event.OneLine(key))
	}
	return nil
}

// CheckValue accepts values that an environment can hold and a JSON file can store.
func CheckValue(key, value string) error {
	switch {
	case strings.Contains(value, "\x00"):
		return Refuse("Invalid value for key '%s': it has a NUL byte, which an environment cannot hold", key)
	case !utf8.ValidString(value):
		return Refuse("Invalid value for key '%s': it is not valid UTF-8, and could not be stored as it is", key)
	}
	return nil
}

const keyLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// ShortID is a container's id as Dokku shows it.
func ShortID(id string) string { return id[:min(11, len(id))] }
