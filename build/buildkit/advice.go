package buildkit

import "strings"

// login is how an administrator gives the builds of all apps a registry's password.
const login = "log in to its registry: dokku registry:login --global SERVER USER"

// advices are causes of a failed build that no change of a file mends, by a phrase of the
// engine's or a registry's message, and what does. The first one that is found counts.
var advices = []struct{ phrase, advice string }{
	{"toomanyrequests", "the registry limits pulls without a password; " + login},
	{"401 Unauthorized", "check the image's name; if the image is private, " + login},
	{"pull access denied", "check the image's name; if the image is private, " + login},
	{"authorization failed", "check the image's name; if the image is private, " + login},
	{"no space left on device", "the server's disk is full; on the server: docker builder prune"},
	{"no such host", "the server cannot find that host: check its name, and the server's DNS"},
	{"i/o timeout", "the server cannot reach that host; try again, or check the server's network"},
	{"manifest unknown", "check the image's name and tag"},
	{"failed to resolve source metadata", "check the image's name and tag"},
}

// advise adds to a message what helps, where the message is of a known kind.
func advise(message string) string {
	for _, a := range advices {
		if strings.Contains(message, a.phrase) {
			return message + "; " + a.advice
		}
	}
	return message
}
