package options

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// kind is what an option may be.
type kind struct {
	form string // of its value, for a message
	// check says what is wrong with a value, as a clause; "": nothing. nil: the option
	// takes no value.
	check func(value string) string
	// subject is what an option that may be repeated sets; nil: it is given once.
	subject func(value string) string
}

// kinds are the options that have an effect.
var kinds = map[string]kind{
	"--add-host":  {"db:192.0.2.1", checkHost, before(":")},
	"--build-arg": {"NAME=VALUE", checkBuildArg, before("=")},
	"--label":     {"NAME=VALUE", checkLabel, before("=")},
	"--no-cache":  {},
	"--platform":  {"linux/arm64", checkPlatform, nil},
	"--secret":    {"id=NPM_TOKEN,env=NPM_TOKEN", checkSecret, func(value string) string { id, _, _ := readSecret(value); return id }},
	"--target":    {"production", checkTarget, nil},
}

// before returns the part of a value before a separator.
func before(separator string) func(string) string {
	return func(value string) string {
		name, _, _ := strings.Cut(value, separator)
		return name
	}
}

var (
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	stage    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	platform = regexp.MustCompile(`^linux/[a-z0-9_]+(/[a-z0-9]+)?$`)
	label    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)
	host     = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	id       = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
)

// ownLabels begin the names of the labels that tell whose an image is.
const ownLabels = "com.dokku."

func checkBuildArg(value string) string {
	if name, _, _ := strings.Cut(value, "="); !variable.MatchString(name) {
		return "a build argument is a variable's name, with or without a value"
	}
	return ""
}

func checkLabel(value string) string {
	name, _, _ := strings.Cut(value, "=")
	switch {
	case !label.MatchString(name):
		return "a label is a name, with or without a value"
	case strings.HasPrefix(strings.ToLower(name), ownLabels):
		return "labels that begin with " + ownLabels + " are dokku's own; take another name"
	}
	return ""
}

func checkHost(value string) string {
	name, address, _ := strings.Cut(value, ":")
	if _, err := netip.ParseAddr(strings.Trim(address, "[]")); err != nil || !host.MatchString(name) {
		return "it needs a name and an IP address"
	}
	return ""
}

func checkPlatform(value string) string {
	if strings.Contains(value, ",") {
		return "an app runs one image, so it has one platform"
	}
	if !platform.MatchString(value) {
		return "it is not a platform of Linux"
	}
	return ""
}

func checkTarget(value string) string {
	if !stage.MatchString(value) {
		return "it is not the name or number of a stage"
	}
	return ""
}

func checkSecret(value string) string {
	_, _, why := readSecret(value)
	return why
}

// readSecret reads "id=ID,env=NAME". Without env, the variable is called as the id.
func readSecret(value string) (name, env, why string) {
	for field := range strings.SplitSeq(value, ",") {
		key, text, _ := strings.Cut(field, "=")
		switch key {
		case "id":
			name = text
		case "env":
			env = text
		case "type":
			if text != "env" {
				return "", "", "a secret is a variable of the app's config (type=env)"
			}
		case "src", "source":
			return "", "", "a build reads no file of the server: put the value into the config (dokku config:set) and name the variable"
		default:
			return "", "", fmt.Sprintf("%q is not a part of a secret, which has an id and the name of a variable of the config", shown(key))
		}
	}
	if env == "" {
		env = name
	}
	if !id.MatchString(name) || !variable.MatchString(env) {
		return "", "", "a secret has an id and the name of a variable of the config"
	}
	return name, env, ""
}
