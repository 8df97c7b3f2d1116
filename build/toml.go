package build

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// wrongType matches the error of the decoder about a value of another type.
var wrongType = regexp.MustCompile(`^cannot (?:decode|store) (?:TOML |a |an )?(.+?) (?:in|into|to) .* of type (.*)$`)

// TOMLProblem says in one line what is wrong with a TOML file, and where: the line, counted
// from 1, and the key, if it is about a value of another type. ok is false for an error that
// is not the decoder's.
func TOMLProblem(err error) (line int, key, message string, ok bool) {
	var bad *toml.DecodeError
	if strict := new(toml.StrictMissingError); errors.As(err, &strict) && len(strict.Errors) > 0 {
		bad = &strict.Errors[0]
	} else if !errors.As(err, &bad) {
		return 0, "", "", false
	}
	line, _ = bad.Position()
	message = strings.TrimPrefix(bad.Error(), "toml: ")
	if m := wrongType.FindStringSubmatch(message); m != nil {
		key = strings.Join(bad.Key(), ".")
		message = fmt.Sprintf("the value is of the type %s, and has to be %s", strings.ToLower(m[1]), tomlType(m[2]))
	}
	return line, key, message, true
}

// tomlType is what a Go type is in TOML.
func tomlType(name string) string {
	switch {
	case strings.HasPrefix(name, "[]"):
		return "a list"
	case strings.HasPrefix(name, "struct"), strings.HasPrefix(name, "map"):
		return "a table"
	case strings.HasPrefix(name, "int"):
		return "a whole number"
	case name == "bool":
		return "true or false"
	}
	return "a text in quotes"
}
